// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestLogLines(t *testing.T) {
	const stamp = "2026-11-24 18:03:32.010338 "
	for _, c := range []struct {
		line            string
		losses, cutOffs bool
		bad             bool
	}{
		{stamp + "I | transport: all is well", false, false, false},
		{stamp + "W | raft: [00001:00003] t2 became leader", false, false, false},
		{stamp + "E | transport: send batch failed, target localhost:1 (EOF), 3", false, false, true},
		{stamp + "E | transport: send batch failed, target localhost:1 (EOF), 3", true, false, false},
		{stamp + "E | transport: out of order, 1:2:3, want 4, got 5", true, false, true},
		{stamp + "E | transport: out of order, 1:2:3, want 4, got 5", true, true, false},
		{stamp + "E | transport: invalid payload checksum", true, true, true},
		{stamp + "W | transport: deployment id does not match 1 vs 2, message dropped", true, true, true},
		{stamp + "W | transport: dropped an invalid snapshot 1:2:3", true, true, true},
		{stamp + "W | raft: t5 dropped rate limit msg, rl disabled", true, true, true},
		{stamp + "C | raft: invalid commitTo index 7, lastIndex() 5", true, true, true},
		{"panic: runtime error: index out of range [recovered]", true, true, true},
		{"goroutine 17 [running]:", true, true, true},
	} {
		if bad := len(badLines(c.line, c.losses, c.cutOffs)) > 0; bad != c.bad {
			t.Errorf("%q, losses %t, cut-offs %t: %t", c.line, c.losses, c.cutOffs, bad)
		}
	}
}
