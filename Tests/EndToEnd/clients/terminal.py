# Runs a command in a terminal of 12 lines and 60 columns, and does things to it once it shows something:
#     terminal.py ACTIONS PID COMMAND...
# Actions, with commas between them, are keys, signals, and
#     freeze   the process PID stops for as long as this runs
#     end      it ends
#     abandon  it is killed while the command is stopped, and nobody makes the terminal what it was
#     borrow   another process has the terminal for a while, and types something, of which the command is not told
#     ctrl-s   the terminal shows nothing more
#     full     the terminal takes nothing more
#     nothing  the command ends by itself
# Tells the exit status (a signal's number negated), whether the terminal is as it was, and all that was shown.
import contextlib, fcntl, os, pty, select, signal, struct, sys, termios, time

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
    # For whoever is not of this session, and may not say so.
    signal.signal(signal.SIGUSR1, lambda *_: os.tcsetpgrp(inside, os.getpid()))
    signal.signal(signal.SIGUSR2, lambda *_: os.tcsetpgrp(inside, child))
    stops = 0
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            break
        if os.WSTOPSIG(status) == signal.SIGSTOP and "abandon" in actions:
            os.kill(other, signal.SIGKILL)
        elif os.WSTOPSIG(status) == signal.SIGSTOP:
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


def wait_until(what, holds):
    for _ in range(12_000):
        if holds():
            return
        select.select([], [], [], 0.01)
    sys.exit("never: " + what)


def child_of(leader):
    with open(f"/proc/{leader}/task/{leader}/children") as file:
        return int(file.read().split()[0])


def threads(process):
    names = {}
    for thread in os.listdir(f"/proc/{process}/task"):
        # It may be over by now.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{process}/task/{thread}/comm") as file:
            names[file.read().strip()] = int(thread)
    return names


def writes(process):
    with open(f"/proc/{process}/io") as file:
        counts = dict(line.split(": ") for line in file.read().splitlines())
    return int(counts["syscw"]), int(counts["wchar"])


def wait_for_vain_write(process):
    last = writes(process)

    def is_in_vain():
        nonlocal last
        before, last = last, writes(process)
        return last[0] > before[0] and last[1] == before[1]

    wait_until("a write that wrote nothing", is_in_vain)


def fill():
    # Opened once more: the command's own is to wait as before.
    path = f"/proc/self/fd/{inside}"
    filling = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        while True:
            os.write(filling, bytes(1))
    except BlockingIOError:
        os.close(filling)


def abandon(process):
    os.kill(other, signal.SIGSTOP)
    last = None

    def is_asking():
        nonlocal last
        before, last = last, threads(process).get("question")
        return last is not None and last == before

    wait_until("a question that nobody answers", is_asking)
    # That there is no answer is found ahead of anything else when they go on: both at one moment is what is looked for.
    for thread in threads(process).values():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(thread, [min(os.sched_getaffinity(0))])
    os.sched_setscheduler(process, os.SCHED_IDLE, os.sched_param(0))
    os.kill(process, signal.SIGSTOP)


def borrow(leader):
    # Nothing tells when it has been found out: it is looked for again.
    for _ in range(120):
        begun = beginnings()
        os.kill(leader, signal.SIGUSR1)
        wait_until("the terminal to be another's", lambda: os.tcgetpgrp(terminal) == leader)
        os.write(terminal, b"x")
        read_for(0.3)
        os.kill(leader, signal.SIGUSR2)
        read_for(0.7)
        if beginnings() > begun:
            return
    sys.exit("it went on as if nobody had had the terminal: %r" % shown)


def read_for(seconds):
    global shown
    end = time.monotonic() + seconds
    while select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
        shown += os.read(terminal, 1 << 16)


if actions != ["nothing"]:
    read_until(lambda: b"process:" in shown)
for action in actions:
    count, begun = frames(), beginnings()
    if action == "freeze":
        os.kill(other, signal.SIGSTOP)
        # A question has been asked that nobody answers: the key shows that it is waited for.
        continue
    if action in ("ctrl-s", "full"):
        if action == "full":
            fill()
        else:
            os.write(terminal, b"\x13")
        wait_for_vain_write(child_of(leader))
        continue
    if action == "nothing":
        continue
    if action == "end":
        os.kill(other, signal.SIGTERM)
    elif action == "abandon":
        abandon(child_of(leader))
    elif action == "borrow":
        borrow(leader)
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
