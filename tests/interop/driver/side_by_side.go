// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// totalsFile names the file that a driver which runs one group of several writes its totals to.
const totalsFile = "DRUMBEAT_INTEROP_TOTALS"

// totals counts runs of scenarios.
type totals struct{ passed, failed, skipped int }

// status is the exit status. Nothing that was run is a failure, too: a filter that matches nothing.
func (t totals) status() int {
	if t.failed > 0 || t.passed == 0 {
		return 1
	}
	return 0
}

func (t totals) print(seed int64) {
	fmt.Printf("%d passed, %d failed, %d skipped; seed %d\n", t.passed, t.failed, t.skipped, seed)
}

// sideBySide runs one driver for each group, each in a network of its own: most scenarios wait more
// than they work. It returns the exit status.
func (o *options) sideBySide() int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		return 2
	}
	parts := make(chan totals, len(o.groups))
	for _, group := range o.groups {
		kinds := fmt.Sprintf("%s,%s,%s", group[0], group[0], group[1])
		args := append(append([]string(nil), os.Args[1:]...), "-kinds", kinds, "-seed", fmt.Sprint(o.seed))
		go func() { parts <- runPart(self, args) }()
	}
	var all totals
	for range o.groups {
		part := <-parts
		all.passed += part.passed
		all.failed += part.failed
		all.skipped += part.skipped
	}
	all.print(o.seed)
	return all.status()
}

// runPart runs one driver. One that ends without totals counts as a failed run.
func runPart(self string, args []string) totals {
	lost := totals{failed: 1}
	file, err := os.CreateTemp("", "drumbeat-interop-totals-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		return lost
	}
	file.Close()
	defer os.Remove(file.Name())
	part := exec.Command(self, args...)
	part.Stdout, part.Stderr = os.Stdout, os.Stderr
	part.Env = append(os.Environ(), totalsFile+"="+file.Name())
	part.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	ended := part.Run()
	text, _ := os.ReadFile(file.Name())
	var t totals
	if _, err := fmt.Sscan(strings.TrimSpace(string(text)), &t.passed, &t.failed, &t.skipped); err != nil {
		fmt.Fprintln(os.Stderr, "driver: a part ended early:", ended)
		return lost
	}
	return t
}

// report tells the totals to whoever started this driver, and returns the exit status.
func (t totals) report(seed int64) int {
	path := os.Getenv(totalsFile)
	if path == "" {
		t.print(seed)
		return t.status()
	}
	line := fmt.Sprintf("%d %d %d\n", t.passed, t.failed, t.skipped)
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		return 2
	}
	return 0
}
