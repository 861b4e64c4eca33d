#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Terminals, driven by tmux: what somebody at the keys of a bare step sees is
# what he sees in a container.

# shellcheck disable=SC2154  # status is bats's
load lib

TMUX_SOCKET=berth-bats-$$

# Its server outlives the command that starts it.
mux() { tmux -L "$TMUX_SOCKET" -f /dev/null "$@" 3>&- 4>&-; }

# sit_down: a terminal of 80 by 24 with a shell of root's in it.
sit_down() {
    mux new-session -d -x 80 -y 24 env -u TMUX PS1='outer> ' QUICKSTART="$QUICKSTART" \
        bash --norc --noprofile
    mux set-option -g status off
    enter "cd '$BATS_TEST_TMPDIR'; stty -g >before"
}
get_up() {
    local pid
    pid=$(mux display-message -p '#{pid}' 2>/dev/null) || return 0
    mux kill-server
    poll "$SOON" gone "$pid"
}
teardown() {
    get_up
    tidy
}

keys() { mux send-keys "$@"; }
# enter LINE: at a prompt, which the next one does not take for its own.
enter() {
    poll "$SOON" prompted || fail "there is no prompt:" "$(screen)"
    keys -l "$1"
    poll "$SOON" typed || fail "nothing is echoed:" "$(screen)"
    keys Enter
}
typed() { ! prompted; }
prompted() { [[ $(screen | tail -n 1) =~ (er>|[$])$ ]]; }
screen() { mux capture-pane -pS - | sed '/^$/d'; }
# sees TEXT: waits for a line of the screen to be that.
sees() { poll "$SOON" stands "$1" || fail "the screen lacks \"$1\":" "$(screen)"; }
stands() { screen | grep -qx -e "$1"; }

# after_it: the terminal is what it was before.
after_it() {
    enter 'stty -g >after; cmp before after && echo "  sane"'
    sees '  sane'
}

# What is done at the keys, bare and in a container: both must show alike all
# that has two spaces in front.
at_the_keys() {
    set -e
    sit_down
    enter "\$QUICKSTART run -- env PS1='inner> ' srun --pty $* bash --norc --noprofile; echo \"  ended \$?\""
    sees 'inner>'
    enter 'test -c "$(tty)" && test "$(tty)" -ef /proc/self/fd/0 && echo "  named"'
    enter 'echo "  $(stty -a | tr -d "\n")"; echo "  $TERM"; : </dev/tty && echo "  tty"'
    enter 'sleep 4720'
    poll "$SOON" sleeps 4720
    keys C-c
    enter 'echo "  status $?"'
    enter 'sleep 4720'
    poll "$SOON" sleeps 4720
    keys C-z
    enter 'echo "  status $?"; jobs | sed "s/^/  /"'
    enter 'bg'
    enter 'fg'
    sees 'sleep 4720'
    keys C-c
    enter 'echo "  status $?"'
    enter 'sleep 4721'
    poll "$SOON" sleeps 4721
    keys 'C-\'
    enter 'echo "  status $?"'
    enter 'echo "  reading"; while read -r line; do echo "  read $line"; done; echo "  end"'
    sees '  reading'
    sleep 0.2
    keys -l 'from the keys'
    keys Enter C-d
    sees '  end'
    enter 'trap "printf \"\n  resized %s %s\n\" \$(stty size)" WINCH; stty size'
    sees '24 80'
    mux resize-window -x 91 -y 33
    sees '  resized 33 91'
    keys Enter
    enter 'echo "  $COLUMNS $LINES"; trap - WINCH; exit 7'
    sees '  ended 7'
    after_it
    # A line that was typed can be broken where it has these, and has quotes.
    screen | grep '^  [^"]*$'
    get_up
}

@test "job control, resizing and a terminal with a name are as bare, and it is sane afterwards" {
    local bare
    # A program may be told of one new size twice, bare as well.
    bare=$(at_the_keys | uniq)
    equal "$(at_the_keys --container=debian | uniq)" "$bare"
    contains "$bare" '  named'
    nothing_left
}

# A program that wants the whole screen, and the name of its terminal: tmux.
mux_image() {
    local root=$BATS_TEST_TMPDIR/root file
    mkdir -p "$root"/{etc,usr/lib/locale}
    for file in /bin/sh $(type -P tmux) $(ldd /bin/sh "$(type -P tmux)" | grep -o '/[^ ]*' | grep -v ':$') \
        /usr/lib/locale/C.utf8 $(infocmp -D); do
        mkdir -p "$root${file%/*}"
        cp -rL "$file" "$root${file%/*}"
    done
    image berth/tmux "$root"
}

@test "a full-screen program works, and leaves the terminal as it was" {
    mux_image
    sit_down
    enter "\$QUICKSTART run -- env LC_ALL=C.UTF-8 SHELL=/bin/sh PS1='within> ' srun --pty --container=berth/tmux tmux -f /dev/null new-session sh; echo \"  ended \$?\""
    # Its status line, at the bottom.
    poll "$SOON" bottom '^\[0\] 0:sh' || fail "$(screen)"
    mux resize-window -x 91 -y 33
    keys -l 'echo in the middle; read line; echo "<$line>"'
    keys Enter
    sees 'in the middle'
    keys x Enter
    sees '<x>'
    poll "$SOON" bottom '^\[0\] 0:sh' || fail "$(screen)"
    ((${#lines[@]} == 33)) || fail "it was not resized: ${#lines[@]} lines"
    # Its own detach.
    keys C-b d
    sees '\[detached (from session 0)\]'
    sees '  ended 0'
    mux resize-window -x 80 -y 24
    after_it
    nothing_left
}
bottom() {
    mapfile -t lines < <(mux capture-pane -p)
    [[ ${lines[-1]} =~ $1 ]]
}

@test "salloc --container opens its shell in the container, at the terminal" {
    sit_down
    enter "\$QUICKSTART run -- env PS1='inner> ' salloc -Q --container=debian; echo \"  ended \$?\""
    enter 'test -c "$(tty)" && test -e /run/berth/init && echo "  named, in a container"'
    sees '  named, in a container'
    enter 'sleep 4722'
    poll "$SOON" sleeps 4722
    keys C-c
    enter 'echo "  status $?"'
    sees '  status 130'
    enter 'exit 3'
    sees '  ended 3'
    after_it
    nothing_left
}

@test "a terminal that was lost ends the step, as bare" {
    local words
    for words in '' --container=debian; do
        sit_down
        enter "\$QUICKSTART run -- srun --pty $words sh -c 'exec sleep 4723'"
        poll "$SOON" sleeps 4723 || fail "$(screen)"
        get_up
        poll "$SOON" no_sleeper 4723 || fail "it sleeps on"
    done
    nothing_left
}
