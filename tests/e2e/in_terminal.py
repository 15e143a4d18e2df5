"""Runs a command in a terminal of this host, for a test to sit in front of.

Arguments: columns, rows, the command. Standard input takes a JSON value per line: a text is typed,
{"resize": [columns, rows]} and {"signal": number} do that. Standard output is what the terminal is
sent. When the command has ended, standard error gets {"code", "modes": [before, after]}.
"""
import fcntl, json, os, pty, select, struct, sys, termios

columns, rows = int(sys.argv[1]), int(sys.argv[2])
master, slave = pty.openpty()


def resize(columns, rows):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


resize(columns, rows)
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.closerange(3, 256)
    os.execvp(sys.argv[3], sys.argv[3:])

commands = b""
status = None
reading = [0, master]
while status is None or select.select([master], [], [], 0.3)[0]:
    ready, _, _ = select.select(reading, [], [], 0.05)
    if master in ready:
        os.write(1, os.read(master, 65536))
    if 0 in ready:
        got = os.read(0, 65536)
        if not got:
            reading = [master]
        commands += got
        while b"\n" in commands:
            line, commands = commands.split(b"\n", 1)
            command = json.loads(line)
            if isinstance(command, str):
                os.write(master, command.encode())
            elif "resize" in command:
                resize(*command["resize"])
            else:
                os.kill(pid, command["signal"])
    if status is None:
        ended, found = os.waitpid(pid, os.WNOHANG)
        if ended:
            status = os.waitstatus_to_exitcode(found)

# Speeds and control characters are in it too.
print(json.dumps({"code": status, "modes": [repr(before), repr(termios.tcgetattr(slave))]}), file=sys.stderr)
