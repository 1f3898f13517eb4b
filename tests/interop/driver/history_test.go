// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	"drumbeat/interop/pipe"
)

// at makes an operation that lasted from one millisecond to another.
func at(from, to int, op operation) operation {
	base := time.Unix(1000, 0)
	op.key = "k"
	op.call, op.end = base.Add(time.Duration(from)*time.Millisecond), base.Add(time.Duration(to)*time.Millisecond)
	return op
}

func put(value, previous string) operation {
	op := operation{kind: opPut, value: value, known: true, size: uint64(len(previous))}
	if previous != "" {
		op.data = string(pipe.ResultData([]byte(previous)))
	}
	return op
}

func get(content string) operation {
	return operation{kind: opGet, known: true, found: content != "", content: content}
}

func TestHistories(t *testing.T) {
	unknown := operation{kind: opAppend, value: "b"}
	appended := put("b", "a")
	appended.kind = opAppend
	for _, c := range []struct {
		name    string
		history []operation
		legal   bool
	}{
		{"in order", []operation{at(0, 1, put("a", "")), at(2, 3, get("a"))}, true},
		{"a read at the same time may miss it", []operation{at(0, 5, put("a", "")), at(1, 2, get(""))}, true},
		{"stale read", []operation{at(0, 1, put("a", "")), at(2, 3, get(""))}, false},
		{"read goes back", []operation{at(0, 9, put("a", "")), at(1, 2, get("a")), at(3, 4, get(""))}, false},
		{"lost write", []operation{at(0, 1, put("a", "")), at(2, 3, put("b", "")), at(4, 5, get("b"))}, false},
		{"append", []operation{at(0, 1, put("a", "")), at(2, 3, appended), at(4, 5, get("ab"))}, true},
		{"doubled append", []operation{at(0, 1, put("a", "")), at(2, 3, appended), at(4, 5, get("abb"))}, false},
		{"unknown that happened late", []operation{at(0, 1, put("a", "")), at(2, 3, unknown), at(4, 5, get("a")),
			at(6, 7, get("ab"))}, true},
		{"unknown that never happened", []operation{at(0, 1, put("a", "")), at(2, 3, unknown), at(4, 5, get("a"))}, true},
		{"unknown that happened twice", []operation{at(0, 1, put("a", "")), at(2, 3, unknown), at(4, 5, get("abb"))}, false},
		{"wrong result", []operation{at(0, 1, put("a", "")), at(2, 3, put("b", "x"))}, false},
	} {
		if err := checkLinearizable(c.history); (err == nil) != c.legal {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
