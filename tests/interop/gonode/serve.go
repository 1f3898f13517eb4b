// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	dragonboat "github.com/lni/dragonboat/v4"

	"drumbeat/interop/pipe"
)

// replies writes whole lines to the driver from any goroutine.
type replies struct {
	mutex sync.Mutex
	out   *json.Encoder
}

func (r *replies) send(reply *pipe.Reply) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.out.Encode(reply) // a driver that is gone ends this process through stdin
}

// outcomeOf tells whether what failed with err may have happened. A rejection or a drop that
// Dragonboat reports on the replica that was asked is certain.
func outcomeOf(err error) string {
	for _, unknown := range []error{dragonboat.ErrTimeout, dragonboat.ErrCanceled, dragonboat.ErrShardClosed,
		dragonboat.ErrAborted, context.DeadlineExceeded} {
		if errors.Is(err, unknown) {
			return pipe.Unknown
		}
	}
	return pipe.DidNotHappen
}

// serve obeys the commands of in until it ends or tells to exit. Every command runs by itself, so
// that a slow one holds up no other.
func serve(in io.Reader, out io.Writer) error {
	host := &host{}
	answers := &replies{out: json.NewEncoder(out)}
	lines := bufio.NewReaderSize(in, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil
		}
		request := &pipe.Request{}
		if err := json.Unmarshal(line, request); err != nil {
			return fmt.Errorf("a command that does not parse: %w", err)
		}
		if request.Cmd == "exit" {
			host.close()
			answers.send(&pipe.Reply{ID: request.ID})
			return nil
		}
		go func() {
			reply, err := host.obey(request)
			if err != nil {
				reply = &pipe.Reply{Error: err.Error(), Outcome: outcomeOf(err)}
			}
			reply.ID = request.ID
			answers.send(reply)
		}()
	}
}

func timeoutOf(request *pipe.Request) (context.Context, context.CancelFunc) {
	limit := time.Duration(request.TimeoutMs) * time.Millisecond
	if limit == 0 {
		limit = 5 * time.Second
	}
	return context.WithTimeout(context.Background(), limit)
}
