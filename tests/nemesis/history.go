// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

type opKind byte

const (
	get      opKind = 'G'
	put      opKind = opPut
	appendTo opKind = opAppend
)

// operation is what one client did and saw. Not known: it may have happened at any time after its
// call, or not at all.
type operation struct {
	client    int
	kind      opKind
	key       string
	value     string
	call, end time.Time
	known     bool

	found   bool   // get
	content string // get
	size    uint64 // put, append: of what was there before
	data    string // put, append: as resultData
}

// register is one key's value in the model.
type register struct {
	present bool
	value   string
}

// step tells whether the operation can have seen what it saw in that state, and the next state.
func (s register) step(op *operation) (bool, register) {
	if op.kind == get {
		return !op.known || op.found == s.present && op.content == s.value, s
	}
	next := register{true, op.value}
	if op.kind == appendTo {
		next.value = s.value + op.value
	}
	switch {
	case !op.known:
		return true, next
	case !s.present:
		return op.size == 0 && op.data == "", next
	}
	return op.size == uint64(len(s.value)) && op.data == resultData(s.value), next
}

var registers = porcupine.Model{
	Init: func() interface{} { return register{} },
	Step: func(state, input, _ interface{}) (bool, interface{}) {
		return state.(register).step(input.(*operation))
	},
}

const checkTime = 60 * time.Second

// checkLinearizable looks for an order of each key's operations that explains what all of them saw.
func checkLinearizable(history []operation) error {
	if len(history) == 0 {
		return nil
	}
	begin, end := history[0].call, history[0].end
	for i := range history {
		if history[i].call.Before(begin) {
			begin = history[i].call
		}
		if history[i].end.After(end) {
			end = history[i].end
		}
	}
	keys := make(map[string][]porcupine.Operation)
	for i := range history {
		op := &history[i]
		if !op.known && op.kind == get {
			continue
		}
		returned := op.end
		if !op.known {
			returned = end.Add(time.Hour)
		}
		keys[op.key] = append(keys[op.key], porcupine.Operation{ClientId: op.client, Input: op,
			Call: int64(op.call.Sub(begin)), Return: int64(returned.Sub(begin))})
	}
	for key, operations := range keys {
		switch porcupine.CheckOperationsTimeout(registers, operations, checkTime) {
		case porcupine.Illegal:
			return fmt.Errorf("the history of key %s is not linearizable:\n%s", key, describe(operations))
		case porcupine.Unknown:
			return fmt.Errorf("the history of key %s (%d operations) could not be checked in %v",
				key, len(operations), checkTime)
		}
	}
	return nil
}

func describe(operations []porcupine.Operation) string {
	sort.Slice(operations, func(a, b int) bool { return operations[a].Call < operations[b].Call })
	var lines []string
	for _, o := range operations {
		op := o.Input.(*operation)
		line := fmt.Sprintf("      %9.3f..%9.3f ms client %d %c %q", float64(o.Call)/1e6, float64(o.Return)/1e6,
			op.client, op.kind, op.value)
		switch {
		case !op.known:
			line += " unknown"
		case op.kind == get:
			line += fmt.Sprintf(" saw %t %q", op.found, op.content)
		default:
			line += fmt.Sprintf(" previous size %d", op.size)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
