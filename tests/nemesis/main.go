// SPDX-License-Identifier: Apache-2.0

// Command nemesis runs three real replicas under load and real faults and judges what comes out.
// README.md describes it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// options are the command line.
type options struct {
	program  string
	preload  string
	seed     int64
	duration time.Duration
	cuts     int
	tick     time.Duration
	only     string
	folder   string
	noDisks  bool
	example  bool
	lie      bool
	verbose  bool
	keep     bool
}

// skipped is the exit status of a run that could not test anything.
const skipped = 77

func parseOptions() (o options) {
	flag.StringVar(&o.program, "node", "", "path of interop_node, or of example-helloworld")
	flag.StringVar(&o.preload, "preload", "", "path of the library that is preloaded into the nodes")
	flag.Int64Var(&o.seed, "seed", time.Now().UnixNano()%1e9, "decides the schedule of faults")
	flag.DurationVar(&o.duration, "duration", 3*time.Minute, "how long to make faults")
	flag.IntVar(&o.cuts, "cuts", 0, "make so many power cuts of all three instead")
	flag.DurationVar(&o.tick, "tick", 50*time.Millisecond, "tick of all nodes; an election timeout is ten")
	flag.StringVar(&o.only, "only", "", "kinds of fault, with commas between; empty: all")
	flag.StringVar(&o.folder, "folder", "", "where to make the run's folder; empty: the system's temporary folder")
	flag.BoolVar(&o.noDisks, "nodisks", false, "use the machine's file system, and make no faults of disks")
	flag.BoolVar(&o.example, "example", false, "the program is example-helloworld: type at its consoles")
	flag.BoolVar(&o.lie, "lie", false, "let the nodes' syncs do nothing, and pass only when that is found out")
	flag.BoolVar(&o.verbose, "v", false, "print each fault")
	flag.BoolVar(&o.keep, "keep", false, "keep the folder also when all is well")
	flag.Parse()
	if o.cuts > 0 {
		o.only = "power-cut-all"
	}
	return o
}

func main() {
	o := parseOptions()
	if o.program == "" || o.preload == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if os.Getenv(namespaceMark) == "" {
		// The seed is decided here, not again inside.
		os.Args = append(os.Args, fmt.Sprintf("-seed=%d", o.seed))
		status, err := enterNamespaces()
		if err != nil {
			skip(err)
		}
		os.Exit(status)
	}
	if err := settleIn(); err != nil {
		skip(err)
	}
	os.Exit(nemesis(o))
}

func skip(why error) {
	fmt.Printf("\n*** nemesis: SKIPPED, nothing was tested: %v ***\n\n", why)
	fmt.Printf("0 passed, 0 failed, all skipped: %v\n", why)
	os.Exit(skipped)
}

func nemesis(o options) int {
	fmt.Printf("nemesis: seed %d\n", o.seed)
	r, err := newRun(o)
	if err != nil {
		fmt.Println("nemesis:", err)
		return 1
	}
	if o.cuts > 0 && !r.disks {
		os.RemoveAll(r.dir)
		skip(fmt.Errorf("power cuts need a disk of our own"))
	}
	r.endOnSignal()
	if err := r.work(); err != nil {
		r.complain("%v", err)
	}
	r.finish()
	r.report()
	if r.lie {
		return r.foundOut()
	}
	if len(r.problems) > 0 {
		fmt.Printf("nemesis: FAILED with seed %d: %d problems; folder: %s\n", r.seed, len(r.problems), r.dir)
		return 1
	}
	if !o.keep {
		os.RemoveAll(r.dir)
	}
	_, faults := r.figures.list("fault:")
	fmt.Printf("1 passed, 0 failed: %s under %d faults\n", filepath.Base(r.program), faults)
	return 0
}
