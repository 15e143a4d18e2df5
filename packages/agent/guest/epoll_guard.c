/*
 * Preloaded into the guest's programs: mends what a restore from a checkpoint breaks in their event loops. It is
 * for gVisor's kernel, which has two faults there (runsc 20240729):
 *
 * - It makes every epoll registration that it still knows ready, and may know some that were deleted long
 *   before. An event loop such as Deno's takes the data of an event for the address of its own record, which
 *   was freed with the registration, and crashes. So events of registrations that are gone are dropped.
 * - A registration that is notified while others are still being loaded counts as ready from then on and is in
 *   no list of ready ones: nothing is heard of it any more. So all are made anew once the agent, which is told
 *   of every restore, has sent SIGURG, and when a wait took too long. Programs that do not wait for events ignore
 *   that signal.
 *
 * Built with tcc alone, so nothing is included and nothing beyond the C library is needed.
 */

typedef unsigned int u32;
typedef unsigned long long u64;

struct epoll_event {
  u32 events;
  u64 data;
} __attribute__((packed));

enum { CTL_ADD = 1, CTL_DEL = 2, CTL_MOD = 3 };
/* A registration that reports once and is then asleep is not to be woken by us. */
enum { ONESHOT = 1 << 30 };
enum { SYS_uname = 63 };
enum { SYS_getpid = 39, SYS_gettid = 186, SYS_tgkill = 234 };
enum { SYS_epoll_ctl = 233, SYS_epoll_pwait = 281 };

enum { URGENT = 23, SENT_TO_THREAD = -6, WITH_INFO = 4, RESTART = 0x10000000 };

struct info {
  int number;
  int error;
  int code;
};

struct action {
  void (*handler)(int, struct info *, void *);
  u64 mask[16];
  int flags;
  void (*restorer)(void);
};

enum { REALTIME = 0, MONOTONIC = 1 };

struct instant {
  long seconds;
  long nanoseconds;
};

extern char **environ;
extern int clock_gettime(int clock, struct instant *now);
extern int sigaction(int number, const struct action *now, struct action *before);
extern int *__errno_location(void);
extern long syscall(long number, ...);
extern int pthread_mutex_lock(void *mutex);
extern int pthread_mutex_unlock(void *mutex);

/* A mutex of the C library that is all zeros is one that is free. */
static u64 mutex[8];

struct registration {
  int epoll;
  int file;
  u32 events;
  u64 data;
};

enum { MOST = 1 << 16 };
static struct registration live[MOST];
static int count;
/* More than fit: what is not known any more cannot be told from what is gone, so all passes. */
static int lost;

static int find(int epoll, int file) {
  for (int i = 0; i < count; i++) {
    if (live[i].epoll == epoll && live[i].file == file) return i;
  }
  return -1;
}

static int is_live(u64 data) {
  for (int i = count - 1; i >= 0; i--) {
    if (live[i].data == data) return 1;
  }
  return 0;
}

struct names {
  char system[65];
  char node[65];
  char release[65];
  char version[65];
  char machine[65];
  char domain[65];
};

/*
 * gVisor says that it is this very build of Linux. Anywhere else the guard keeps out of the way: there is nothing
 * to mend, and programs may register by ways that it does not see.
 */
static int is_gvisor(void) {
  static const char build[] = "#1 SMP Sun Jan 10 15:06:54 PST 2016";
  static int known; /* 1: it is, 2: it is not */
  struct names names;
  if (known == 0) {
    known = 2;
    if (syscall(SYS_uname, &names) == 0) {
      int i = 0;
      while (build[i] != 0 && names.version[i] == build[i]) i++;
      if (build[i] == 0) known = 1;
    }
  }
  return known == 1;
}

static void note(int epoll, int file, const struct epoll_event *event) {
  int at = find(epoll, file);
  if (at < 0) {
    if (count == MOST) {
      lost = 1;
      return;
    }
    at = count++;
  }
  live[at].epoll = epoll;
  live[at].file = file;
  live[at].events = event->events;
  live[at].data = event->data;
}

static void forget(int epoll, int file) {
  int at = find(epoll, file);
  if (at >= 0) live[at] = live[--count];
}

/* Threads that wait for events, by their ids. */
enum { MOST_WAITING = 256 };
static int waiting[MOST_WAITING];

/* Counts restores; the registrations are those of the one that was seen to last. */
static volatile int restores;
static volatile int mended;
static int listening;

/* Sent to the process, it is passed on to the threads that wait, whose waiting it ends. */
static void on_urgent(int number, struct info *info, void *context) {
  if (info->code == SENT_TO_THREAD) return;
  int saved = *__errno_location();
  int process = (int)syscall(SYS_getpid);
  restores++;
  for (int i = 0; i < MOST_WAITING; i++) {
    if (waiting[i] != 0) syscall(SYS_tgkill, (long)process, (long)waiting[i], (long)URGENT);
  }
  *__errno_location() = saved;
}

/* Not where the program has a use of its own for the signal. */
static void listen_for_restores(void) {
  struct action action;
  listening = 1;
  if (sigaction(URGENT, 0, &action) != 0 || action.handler != 0) return;
  action.handler = on_urgent;
  action.flags = WITH_INFO | RESTART;
  sigaction(URGENT, &action, 0);
}

static u64 milliseconds(int clock) {
  struct instant now;
  clock_gettime(clock, &now);
  return (u64)now.seconds * 1000 + now.nanoseconds / 1000000;
}

/*
 * The agent hears of a restore from outside, which takes the very registrations that may be lost. A machine that
 * was restored shows it in its clocks: the one that tells the time went on with the host's, the one that only
 * counts did not, or a wait took far longer than was asked for. On a busy host that happens as well, and no harm
 * is done. So the agent never waits without end.
 */
enum { LATE_MS = 100, SELDOM_MS = 1000, JUMP_MS = 50, AGENT_WAIT_MS = 1000 };
static u64 suspected;
static long apart;

/* Which process it is shows in its environment, where no other has the agent's token. */
static int is_agent(void) {
  static const char token[] = "PADDOCK_AGENT_TOKEN=";
  static int known; /* 1: it is, 2: it is not */
  if (known == 0) {
    known = 2;
    for (char **it = environ; it && *it; it++) {
      int i = 0;
      while (token[i] != 0 && (*it)[i] == token[i]) i++;
      if (token[i] == 0) known = 1;
    }
  }
  return known == 1;
}

static void suspect(u64 since, int timeout) {
  u64 now = milliseconds(MONOTONIC);
  long before = apart;
  apart = (long)(milliseconds(REALTIME) - now);
  if (before != 0 && (apart - before > JUMP_MS || before - apart > JUMP_MS)) {
    restores++;
    return;
  }
  if (timeout < 0) return;
  if (now < since + timeout + LATE_MS || now < suspected + SELDOM_MS) return;
  suspected = now;
  restores++;
}

static void mend(void) {
  struct epoll_event event;
  if (mended == restores) return;
  mended = restores;
  for (int i = 0; i < count; i++) {
    struct registration *it = &live[i];
    if (it->events & ONESHOT) continue;
    event.events = it->events;
    event.data = it->data;
    /* One that is not there any more was closed, and is not to come back. */
    if (syscall(SYS_epoll_ctl, (long)it->epoll, (long)CTL_DEL, (long)it->file, &event) != 0) continue;
    syscall(SYS_epoll_ctl, (long)it->epoll, (long)CTL_ADD, (long)it->file, &event);
  }
}

int epoll_ctl(int epoll, int operation, int file, struct epoll_event *event) {
  int result;
  if (!is_gvisor()) return (int)syscall(SYS_epoll_ctl, (long)epoll, (long)operation, (long)file, event);
  pthread_mutex_lock(mutex);
  if (!listening) listen_for_restores();
  result = (int)syscall(SYS_epoll_ctl, (long)epoll, (long)operation, (long)file, event);
  if (result == 0) {
    if (operation == CTL_DEL) forget(epoll, file);
    else note(epoll, file, event);
  }
  pthread_mutex_unlock(mutex);
  return result;
}

static int *start_waiting(void) {
  int thread = (int)syscall(SYS_gettid);
  for (int i = 0; i < MOST_WAITING; i++) {
    if (waiting[i] == 0) {
      waiting[i] = thread;
      return &waiting[i];
    }
  }
  return 0;
}

static int ask(int epoll, struct epoll_event *events, int most, int timeout, const void *signals) {
  return (int)syscall(SYS_epoll_pwait, (long)epoll, events, (long)most, (long)timeout, signals, 8L);
}

static int wait_for_events(int epoll, struct epoll_event *events, int most, int timeout,
                           const void *signals) {
  int kept;
  int got;
  int saved;
  int *place;
  int limit;
  u64 since;
  if (!is_gvisor()) return ask(epoll, events, most, timeout, signals);
  limit = timeout < 0 && is_agent() ? AGENT_WAIT_MS : timeout;
  do {
    since = milliseconds(MONOTONIC);
    pthread_mutex_lock(mutex);
    mend();
    place = start_waiting();
    pthread_mutex_unlock(mutex);
    got = ask(epoll, events, most, limit, signals);
    saved = *__errno_location();
    pthread_mutex_lock(mutex);
    if (place) *place = 0;
    suspect(since, limit);
    mend();
    kept = 0;
    for (int i = 0; i < got; i++) {
      if (lost || is_live(events[i].data)) events[kept++] = events[i];
    }
    pthread_mutex_unlock(mutex);
    *__errno_location() = saved;
    /* Nothing at all is no answer to who waits without end. */
  } while (timeout < 0 && got >= 0 && kept == 0);
  return got <= 0 ? got : kept;
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout) {
  return wait_for_events(epoll, events, most, timeout, 0);
}

int epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout, const void *signals) {
  return wait_for_events(epoll, events, most, timeout, signals);
}
