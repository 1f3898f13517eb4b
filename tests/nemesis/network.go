// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

const namespaceMark = "DRUMBEAT_NEMESIS_NAMESPACE"

// enterNamespaces runs this program again in network and mount namespaces of its own and returns
// its exit status, or an error when the system refuses them.
func enterNamespaces() (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	again := exec.Command(self, os.Args[1:]...)
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.Env = append(os.Environ(), namespaceMark+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM,
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if err := again.Start(); err != nil {
		return 0, err
	}
	// Its mounts must outlive it: were they undone in the course of its end, the kernel would flush
	// file systems whose disk it serves itself, and wait for ever.
	mounts, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", again.Process.Pid))
	if err == nil {
		defer mounts.Close()
	}
	// We end when it does.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		for s := range signals {
			again.Process.Signal(s)
		}
	}()
	err = again.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// settleIn makes the new namespaces usable: mounts stay inside, loopback is up, and nftables has a
// chain for our rules.
func settleIn() error {
	return firstError(
		syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
		runProgram("ip", "link", "set", "lo", "up"),
		runProgram("nft", "add table inet nemesis"),
		runProgram("nft", "add chain inet nemesis out { type filter hook output priority 0 ; }"))
}

// loss says what happens to a packet that is not to arrive.
type loss string

const (
	silence loss = "drop"
	reset   loss = "reject with tcp reset" // the connection breaks
	some    loss = "numgen random mod 100 < 30 drop"
)

// link is one direction between two nodes, which is a TCP connection of its own in the protocol.
type link struct{ from, to *node }

// network holds the links that are broken. Each node has a user id of its own, by which the packet
// filter tells the senders apart; ports tell the receivers.
type network struct {
	mutex  sync.Mutex
	broken map[link]loss
}

// apply replaces all rules, in one transaction; with the mutex.
func (n *network) apply() error {
	lines := []string{"flush chain inet nemesis out"}
	for l, how := range n.broken {
		lines = append(lines, fmt.Sprintf("add rule inet nemesis out meta skuid %d tcp dport %d %s",
			l.from.uid, l.to.port, how))
	}
	nft := exec.Command("nft", "-f", "-")
	nft.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := nft.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, out)
	}
	return nil
}

func (n *network) cutLinks(links []link, how loss) error {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	for _, l := range links {
		n.broken[l] = how
	}
	return n.apply()
}

func (n *network) mendLinks(links []link) error {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	for _, l := range links {
		delete(n.broken, l)
	}
	return n.apply()
}

// throttle limits what all nodes together send to that many kilobits a second; 0 ends it.
func throttle(kilobits int) error {
	if kilobits == 0 {
		return runProgram("tc", "qdisc", "del", "dev", "lo", "root")
	}
	return runProgram("tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", fmt.Sprintf("%dkbit", kilobits),
		"burst", "70000", "latency", "400ms")
}

// freePort finds a port that nobody listens on, below those that the system gives to dialling
// sockets, so that it stays free while its node is down.
func freePort(next *int) int {
	for {
		*next++
		listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", *next))
		if err == nil {
			listener.Close()
			return *next
		}
	}
}
