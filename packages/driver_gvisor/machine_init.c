/*
 * The first process of a machine's namespace of processes. It has runsc start the machine and let go of it, and
 * waits for the sentry: runsc itself would wait as well, with several megabytes for each machine.
 *
 *   machine_init PID_FILE [PROGRAM ARGUMENT...]
 *
 * Runs the program, if there is one, and ends as it does when it fails. Then it ends as the process does whose
 * number is in the file, which runsc has left to it. Whatever else is left to it, it reaps.
 *
 * Built with tcc alone, so nothing is included and no C library is needed.
 */

enum { SYS_read = 0, SYS_open = 2, SYS_fork = 57, SYS_execve = 59, SYS_wait4 = 61, SYS_exit_group = 231 };
/* As shells say it: 128 for what cannot be started, and that much more than the signal that ended a process. */
enum { FAILED = 128 };

extern long call(long number, long a, long b, long c, long d);

/* The kernel takes its fourth argument in another register than a function does. */
asm(".globl call\n"
    "call:\n"
    "mov %rdi, %rax\n"
    "mov %rsi, %rdi\n"
    "mov %rdx, %rsi\n"
    "mov %rcx, %rdx\n"
    "mov %r8, %r10\n"
    "syscall\n"
    "ret\n"
    ".globl _start\n"
    "_start:\n"
    "mov %rsp, %rdi\n"
    "and $-16, %rsp\n"
    "call begin\n");

static void end(int code) {
  for (;;) call(SYS_exit_group, code, 0, 0, 0);
}

/* Waits until this child has ended, reaping others meanwhile; 128 when there is no such child. */
static int end_of(long child) {
  int status;
  long ended;
  do {
    status = 0;
    ended = call(SYS_wait4, -1, (long)&status, 0, 0);
    if (ended < 0 && ended != -4) return FAILED;
  } while (ended != child);
  return (status & 127) == 0 ? status >> 8 & 255 : FAILED + (status & 127);
}

static long number_in(const char *path) {
  char text[32];
  long number = 0;
  long file = call(SYS_open, (long)path, 0, 0, 0);
  long length = file < 0 ? 0 : call(SYS_read, file, (long)text, sizeof text, 0);
  for (long i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++) number = number * 10 + text[i] - '0';
  return number;
}

void begin(long *stack) {
  long count = stack[0];
  char **arguments = (char **)(stack + 1);
  char **environment = arguments + count + 1;
  long machine;
  if (count < 2) end(FAILED);
  if (count > 2) {
    long child = call(SYS_fork, 0, 0, 0, 0);
    int code;
    if (child < 0) end(FAILED);
    if (child == 0) {
      call(SYS_execve, (long)arguments[2], (long)(arguments + 2), (long)environment, 0);
      end(FAILED);
    }
    code = end_of(child);
    if (code != 0) end(code);
  }
  machine = number_in(arguments[1]);
  end(machine > 0 ? end_of(machine) : FAILED);
}
