# Runs a command in a terminal of 12 lines and 60 columns, and does things to it once it shows something:
#     terminal.py ACTIONS PID COMMAND...
# Actions, with commas between them, are keys, signals, "freeze" (the process PID stops for as long as this runs), "end" (it ends),
# "ctrl-s" (the terminal shows nothing more) and "nothing" (the command ends by itself).
# Tells the exit status (a signal's number negated), whether the terminal is as it was, and all that was shown.
import fcntl, os, pty, select, signal, struct, sys, termios

KEYS = {"q": [b"q"], "ctrl-c": [b"\x03"], "ctrl-z": [b"\x1a"], "down": [b"\x1b[B"], "split": [b"\x1b", b"[A", b"\x1b[", b"B"]}
actions, other, command = sys.argv[1].split(", "), int(sys.argv[2]), sys.argv[3:]
terminal, inside = pty.openpty()
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 60, 0, 0))
before = termios.tcgetattr(inside)
# In a session of its own, whose leader is its parent and stays: a process without such a parent is not stopped by a terminal.
leader = os.fork()
if leader == 0:
    os.setsid()
    fcntl.ioctl(inside, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(inside, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        for number in range(3):
            os.dup2(inside, number)
        os.closerange(3, 100)
        os.execvp(command[0], command)
    stops = 0
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            break
        if os.WSTOPSIG(status) == signal.SIGSTOP:
            # Then shells make it what they want.
            termios.tcsetattr(inside, termios.TCSANOW, before)
        else:
            # As it was while it is stopped, too.
            stops += termios.tcgetattr(inside)[3] == before[3]
        os.kill(child, signal.SIGCONT)
    wanted = sum(action in ("TSTP", "ctrl-z") for action in actions)
    os._exit(os.waitstatus_to_exitcode(status) % 256 if stops == wanted else 99)

shown = b""


def read_until(is_reached):
    global shown
    while not is_reached():
        if not select.select([terminal], [], [], 120)[0]:
            sys.exit("nothing was shown: %r" % shown)
        shown += os.read(terminal, 1 << 16)


def frames():
    return shown.count(b"\x1b[H")


def beginnings():
    return shown.count(b"\x1b[?7l")


def unread():
    return struct.unpack("i", fcntl.ioctl(inside, termios.FIONREAD, bytes(4)))[0]


def child_of(leader):
    with open(f"/proc/{leader}/task/{leader}/children") as file:
        return int(file.read().split()[0])


if actions != ["nothing"]:
    read_until(lambda: b"process:" in shown)
for action in actions:
    count, begun = frames(), beginnings()
    if action == "freeze":
        os.kill(other, signal.SIGSTOP)
        # A question has been asked that nobody answers: the key shows that it is waited for.
        continue
    if action == "ctrl-s":
        os.write(terminal, b"\x13\x1b[B")
        # What moves the lines has been read: it has something to show.
        while unread() > 0:
            select.select([], [], [], 0.01)
        continue
    if action == "nothing":
        continue
    if action == "end":
        os.kill(other, signal.SIGTERM)
    elif action in KEYS:
        for part in KEYS[action]:
            os.write(terminal, part)
            if part != KEYS[action][-1]:
                read_until(lambda: frames() > count)
                count = frames()
    else:
        os.kill(child_of(leader), getattr(signal, "SIG" + action))
    if action == "STOP":
        read_until(lambda: beginnings() > begun)
    if action != actions[-1]:
        read_until(lambda: frames() > count)
while True:
    done, status = os.waitpid(leader, os.WNOHANG)
    if done:
        break
    if select.select([terminal], [], [], 0.1)[0]:
        shown += os.read(terminal, 1 << 16)
while select.select([terminal], [], [], 0)[0]:
    shown += os.read(terminal, 1 << 16)
if "freeze" in actions:
    os.kill(other, signal.SIGCONT)
code = os.waitstatus_to_exitcode(status)
print("exit", code if code < 128 else code - 256)
print("restored", termios.tcgetattr(inside) == before)
print(ascii(shown))
