// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"drumbeat/interop/pipe"
)

type opKind byte

const (
	opGet    opKind = 'G'
	opPut    opKind = pipe.OpPut
	opAppend opKind = pipe.OpAppend
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
	data    string // put, append: as pipe.ResultData
}

func (op *operation) settle(reply *pipe.Reply) {
	op.known, op.size, op.data = true, reply.Value, string(reply.Data)
}

// register is one key's value in the model.
type register struct {
	present bool
	value   string
}

// step tells whether the operation can have seen what it saw in that state, and the next state.
func (s register) step(op *operation) (bool, register) {
	if op.kind == opGet {
		return !op.known || op.found == s.present && op.content == s.value, s
	}
	next := register{true, op.value}
	if op.kind == opAppend {
		next.value = s.value + op.value
	}
	if !op.known {
		return true, next
	}
	if !s.present {
		return op.size == 0 && op.data == "", next
	}
	return op.size == uint64(len(s.value)) && op.data == string(pipe.ResultData([]byte(s.value))), next
}

var registers = porcupine.Model{
	Init: func() any { return register{} },
	Step: func(state, input, _ any) (bool, any) { return state.(register).step(input.(*operation)) },
}

const checkTime = 60 * time.Second

// checkLinearizable looks for an order of all operations that explains what each saw.
func checkLinearizable(history []operation) error {
	if len(history) == 0 {
		return nil
	}
	begin, end := history[0].call, history[0].end
	for _, op := range history {
		if op.call.Before(begin) {
			begin = op.call
		}
		if op.end.After(end) {
			end = op.end
		}
	}
	keys := make(map[string][]porcupine.Operation)
	for i := range history {
		op := &history[i]
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
	var lines []string
	for _, o := range operations {
		op := o.Input.(*operation)
		line := fmt.Sprintf("      %9.3f..%9.3f ms client %d %c %q", float64(o.Call)/1e6, float64(o.Return)/1e6,
			op.client, op.kind, op.value)
		if !op.known {
			line += " unknown"
		} else if op.kind == opGet {
			line += fmt.Sprintf(" saw %t %q", op.found, op.content)
		} else {
			line += fmt.Sprintf(" previous size %d", op.size)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
