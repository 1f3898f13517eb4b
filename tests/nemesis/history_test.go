// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"
)

var epoch = time.Now()

// at makes an operation of key k that took from `call` to `end` milliseconds.
func at(call, end int, op operation) operation {
	op.key = "k"
	op.call = epoch.Add(time.Duration(call) * time.Millisecond)
	op.end = epoch.Add(time.Duration(end) * time.Millisecond)
	return op
}

func saw(content string) operation {
	return operation{kind: get, known: true, found: content != "", content: content}
}

func wrote(kind opKind, value, previous string) operation {
	op := operation{kind: kind, known: true, value: value}
	if previous != "" {
		op.size, op.data = uint64(len(previous)), resultData(previous)
	}
	return op
}

func unknown(kind opKind, value string) operation { return operation{kind: kind, value: value} }

func TestJudgement(t *testing.T) {
	cases := []struct {
		name    string
		history []operation
		legal   bool
	}{
		{"one after the other", []operation{
			at(0, 1, wrote(put, "a", "")), at(2, 3, wrote(appendTo, "b", "a")), at(4, 5, saw("ab"))}, true},
		{"a stale read", []operation{
			at(0, 1, wrote(put, "a", "")), at(2, 3, wrote(put, "b", "a")), at(4, 5, saw("a"))}, false},
		{"a read beside the write", []operation{
			at(0, 1, wrote(put, "a", "")), at(2, 9, wrote(put, "b", "a")), at(4, 5, saw("a"))}, true},
		{"an acknowledged write is lost", []operation{
			at(0, 1, wrote(put, "a", "")), at(2, 3, saw(""))}, false},
		{"an unknown write happened late", []operation{
			at(0, 1, unknown(put, "a")), at(2, 3, saw("")), at(4, 5, saw("a"))}, true},
		{"an unknown write happened twice", []operation{
			at(0, 1, unknown(appendTo, "a")), at(2, 3, saw("aa"))}, false},
		{"an append was applied twice", []operation{
			at(0, 1, wrote(appendTo, "a", "")), at(2, 3, saw("aa"))}, false},
		{"reads go back", []operation{
			at(0, 9, unknown(put, "a")), at(2, 3, saw("a")), at(4, 5, saw(""))}, false},
		{"a result is of another state", []operation{
			at(0, 1, wrote(put, "a", "")), at(2, 3, wrote(appendTo, "b", "c"))}, false},
	}
	for _, c := range cases {
		if err := checkLinearizable(c.history); (err == nil) != c.legal {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestKeysAreJudgedApart(t *testing.T) {
	other := at(4, 5, saw(""))
	other.key = "other"
	history := []operation{at(0, 1, wrote(put, "a", "")), other}
	if err := checkLinearizable(history); err != nil {
		t.Error(err)
	}
	other.found, other.content = true, "a"
	err := checkLinearizable(append(history, other))
	if err == nil || !strings.Contains(err.Error(), "key other") {
		t.Error(err)
	}
}
