// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"io"

	sm "github.com/lni/dragonboat/v4/statemachine"

	"drumbeat/interop/pipe"
)

// counter is the machine of the helloworld example: it counts commands and, when told to, prints
// each of them.
type counter struct {
	count uint64
	print io.Writer
}

func newCounter(uint64, uint64) sm.IStateMachine { return &counter{} }

func (c *counter) Update(e sm.Entry) (sm.Result, error) {
	c.count++
	if c.print != nil {
		fmt.Fprintf(c.print, "from ExampleStateMachine.Update(), msg: %s, count:%d\n", e.Cmd, c.count)
	}
	return sm.Result{Value: uint64(len(e.Cmd))}, nil
}

func (c *counter) Lookup(any) (any, error) { return answer{state: pipe.State{Count: c.count}}, nil }

func (c *counter) SaveSnapshot(w io.Writer, _ sm.ISnapshotFileCollection, _ <-chan struct{}) error {
	_, err := w.Write(binary.LittleEndian.AppendUint64(nil, c.count))
	return err
}

func (c *counter) RecoverFromSnapshot(r io.Reader, _ []sm.SnapshotFile, _ <-chan struct{}) error {
	return binary.Read(r, binary.LittleEndian, &c.count)
}

func (c *counter) Close() error { return nil }
