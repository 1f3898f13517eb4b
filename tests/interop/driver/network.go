// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

const namespaceMark = "DRUMBEAT_INTEROP_NAMESPACE"

// network is what carries the messages of the nodes: a network namespace of our own if the system
// lets us have one, with packet filters that tell the nodes apart by their user ids; else the
// machine's loopback, where there are no partitions.
type network struct {
	private bool // a namespace of our own
	filters bool // partitions are possible
	next    int  // port to try
}

// enterNamespace runs this program again inside a network namespace and returns its exit status,
// or an error when the system refuses one.
func enterNamespace() (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	again := exec.Command(self, os.Args[1:]...)
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.Env = append(os.Environ(), namespaceMark+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGTERM}
	if os.Getuid() != 0 {
		again.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		again.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		again.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if err := again.Start(); err != nil {
		return 0, err
	}
	err = again.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

func openNetwork(seed int64) *network {
	n := &network{next: 20000 + int(uint64(seed)%10000)}
	if os.Getenv(namespaceMark) == "" {
		n.next = 20000 + os.Getpid()*7000%10000 // away from the driver beside this one
		return n
	}
	n.private = exec.Command("ip", "link", "set", "lo", "up").Run() == nil
	if n.private && userIds() {
		n.filters = nft("add table inet interop") == nil &&
			nft("add chain inet interop out { type filter hook output priority 0 ; }") == nil
	}
	return n
}

// userIds tells whether child processes can have user ids of their own.
func userIds() bool {
	try := exec.Command("true")
	try.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: firstUid, Gid: firstUid}}
	return try.Run() == nil
}

func nft(command string) error {
	out, err := exec.Command("nft", command).CombinedOutput()
	if err != nil {
		return fmt.Errorf("nft %s: %v: %s", command, err, out)
	}
	return nil
}

// port finds a port that nobody listens on, below those that the system gives to dialling sockets,
// so that it stays free while its node is down.
func (n *network) port() int {
	for {
		n.next = 20000 + (n.next-20000+1)%12000
		listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", n.next))
		if err == nil {
			listener.Close()
			return n.next
		}
	}
}

// loss says what happens to a packet that is not to arrive.
type loss string

const (
	drop  loss = "drop"                  // silence
	reset loss = "reject with tcp reset" // the connection breaks
)

// block keeps what `from` sends from reaching `to`.
func (n *network) block(from, to *node, how loss) error {
	return nft(fmt.Sprintf("add rule inet interop out meta skuid %d tcp dport %d %s", from.uid, to.port(), how))
}

func (n *network) heal() error {
	if !n.filters {
		return nil
	}
	return nft("flush chain inet interop out")
}

// slowDown lets that many bytes a second pass, in a namespace of our own and where the kernel can; 0: all.
func (n *network) slowDown(bytes uint64) {
	if !n.private {
		return
	}
	exec.Command("tc", "qdisc", "del", "dev", "lo", "root").Run()
	if bytes > 0 {
		exec.Command("tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", fmt.Sprintf("%dbps", bytes),
			"burst", "256kb", "latency", "100ms").Run()
	}
}

// traffic is what passed the loopback interface since the namespace was made (or the machine
// booted).
type traffic struct{ packets, bytes uint64 }

func (n *network) traffic() traffic {
	text, err := os.ReadFile("/proc/self/net/dev")
	if err != nil {
		return traffic{}
	}
	for _, line := range strings.Split(string(text), "\n") {
		if name, rest, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && name == "lo" {
			fields := strings.Fields(rest)
			bytes, _ := strconv.ParseUint(fields[0], 10, 64)
			packets, _ := strconv.ParseUint(fields[1], 10, 64)
			return traffic{packets, bytes}
		}
	}
	return traffic{}
}
