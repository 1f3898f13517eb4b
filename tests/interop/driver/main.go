// SPDX-License-Identifier: Apache-2.0

// Command driver runs one Raft group of drumbeat and real Dragonboat v4 replicas through scenarios
// and checks what comes out. README.md describes it.
package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"drumbeat/interop/pipe"
)

// options are the command line.
type options struct {
	programs map[string]string // by kind
	example  string            // example-helloworld, or ""
	filter   *regexp.Regexp
	seed     int64
	duration time.Duration
	tickMs   uint64
	quick    bool
	verbose  bool
	keep     bool
	serial   bool
	groups   [][2]string // majority, minority
	folder   string
}

func parseOptions() (*options, error) {
	o := &options{programs: make(map[string]string)}
	goProgram := flag.String("gonode", "", "path of the Dragonboat node")
	drumbeat := flag.String("drumbeat", "", "path of interop_node")
	flag.StringVar(&o.example, "example", "", "path of example-helloworld; without it that scenario is skipped")
	filter := flag.String("run", ".", "scenarios to run, a regular expression on name/majority-minority/leader")
	flag.Int64Var(&o.seed, "seed", time.Now().UnixNano()%1e9, "seed of all random choices")
	flag.DurationVar(&o.duration, "duration", 2*time.Minute, "length of the scenario with random faults")
	flag.Uint64Var(&o.tickMs, "tick", 40, "tick of all nodes in milliseconds")
	flag.BoolVar(&o.quick, "quick", false, "smaller snapshots, shorter loads, fewer variants")
	flag.BoolVar(&o.verbose, "v", false, "print steps")
	flag.BoolVar(&o.keep, "keep", false, "keep the folder also of runs that pass")
	flag.BoolVar(&o.serial, "serial", false, "one group after the other, not side by side")
	kinds := flag.String("kinds", "go,go,db;db,db,go", "kinds of the three founding replicas, two equal ones first")
	flag.StringVar(&o.folder, "folder", "", "where to make the nodes' folders; empty: the system's temporary folder")
	flag.Parse()
	var err error
	if o.filter, err = regexp.Compile(*filter); err != nil {
		return nil, err
	}
	o.programs[kindGo], o.programs[kindDrumbeat] = *goProgram, *drumbeat
	for _, group := range strings.Split(*kinds, ";") {
		three := strings.Split(group, ",")
		if len(three) != 3 || three[0] != three[1] {
			return nil, fmt.Errorf("-kinds %q: want three kinds, the first two equal", group)
		}
		for _, kind := range three {
			if o.programs[kind] == "" {
				return nil, fmt.Errorf("no program for kind %q", kind)
			}
		}
		o.groups = append(o.groups, [2]string{three[0], three[2]})
	}
	return o, nil
}

func main() {
	o, err := parseOptions()
	if err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		os.Exit(2)
	}
	if os.Getenv(totalsFile) == "" && len(o.groups) > 1 && !o.serial {
		os.Exit(o.sideBySide())
	}
	if os.Getenv(namespaceMark) == "" {
		status, err := enterNamespace()
		if err == nil {
			os.Exit(status)
		}
		fmt.Println("no network namespace, so no partitions:", err)
	}
	if err := o.copyPrograms(); err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		os.Exit(2)
	}
	status := o.runAll(openNetwork(o.seed))
	os.RemoveAll(filepath.Dir(o.programs["copies"]))
	os.Exit(status)
}

// copyPrograms puts the programs where the nodes' users may run them.
func (o *options) copyPrograms() error {
	dir, err := os.MkdirTemp(o.folder, "drumbeat-interop-bin-")
	if err != nil {
		return err
	}
	os.Chmod(dir, 0o755)
	o.programs["copies"] = filepath.Join(dir, "x")
	for _, kind := range []string{kindGo, kindDrumbeat} {
		if o.programs[kind] != "" {
			to := filepath.Join(dir, "node-"+kind)
			if err := copyFile(o.programs[kind], to); err != nil {
				return err
			}
			o.programs[kind] = to
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// runAll runs every scenario in every variant that the options ask for, and returns the exit
// status.
func (o *options) runAll(network *network) int {
	fmt.Printf("seed %d, namespace %t, partitions %t\n", o.seed, network.private, network.filters)
	var t totals
	for number, s := range scenarios {
		for _, v := range o.variants(number, s) {
			name := fmt.Sprintf("%s/%s-%s/%s", s.name, v.major, v.minor, v.lead)
			if !o.filter.MatchString(name) {
				continue
			}
			if why := s.cannot(o, network); why != "" {
				fmt.Printf("SKIP %-42s %s\n", name, why)
				t.skipped++
				break
			}
			if o.runOne(network, s, v, name) {
				t.passed++
			} else {
				t.failed++
			}
		}
	}
	return t.report(o.seed)
}

// variant says which kinds make up the group and which one leads.
type variant struct{ major, minor, lead string }

// variants lists a scenario's variants. A quick run takes one for each group, the leading kind
// changing from scenario to scenario and with the seed, so that two runs cover both.
func (o *options) variants(number int, s *scenario) []variant {
	var out []variant
	for _, group := range o.groups {
		leads := []string{group[0], group[1]}
		i := 0
		if group[0] != kindGo {
			i = 1
		}
		if group[0] == group[1] || !s.leads {
			leads = leads[:1]
		} else if o.quick {
			chosen := (number + i + int(o.seed&1)) % 2
			leads = leads[chosen : chosen+1]
		}
		for _, lead := range leads {
			out = append(out, variant{group[0], group[1], lead})
		}
	}
	return out
}

func (o *options) newRun(network *network, s *scenario, v variant) (*run, error) {
	dir, err := os.MkdirTemp(o.folder, "drumbeat-interop-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	r := &run{options: *o, network: network, dir: dir, major: v.major, minor: v.minor, lead: v.lead, losses: s.losses, cutOffs: s.cutOffs,
		random: rand.New(rand.NewSource(o.seed + int64(len(s.name))))}
	r.settings = pipe.Request{ElectionTicks: 10, HeartbeatTicks: 1, CheckQuorum: true, CompactionOverhead: 20}
	return r, nil
}

func (o *options) runOne(network *network, s *scenario, v variant, name string) bool {
	r, err := o.newRun(network, s, v)
	if err != nil {
		fmt.Println("FAIL", name, err)
		return false
	}
	before, start := network.traffic(), time.Now()
	r.attempt(s)
	r.finish()
	took, after, stats := time.Since(start), network.traffic(), r.stats()
	verdict := "ok  "
	if len(r.problems) > 0 {
		verdict = "FAIL"
	}
	var out strings.Builder // in one piece: other drivers print to the same place
	fmt.Fprintf(&out, "%s %-42s %5.1f s, %d ops (%d unknown), %d leader changes, snapshots %d taken %d sent %d failed %d restored, "+
		"%d packets, %.1f MB%s\n", verdict, name, took.Seconds(), r.acked, r.unknown, stats.LeaderChanges,
		stats.SnapshotsTaken, stats.SnapshotsSent, stats.SnapshotsFailed, stats.SnapshotsRecovered,
		after.packets-before.packets, float64(after.bytes-before.bytes)/1e6, strings.Join(append([]string{""}, r.figures...), "; "))
	for _, problem := range r.problems {
		fmt.Fprintln(&out, "     ", problem)
	}
	if len(r.problems) > 0 || o.keep {
		fmt.Fprintln(&out, "      folder:", r.dir)
	} else {
		os.RemoveAll(r.dir)
	}
	fmt.Print(out.String())
	return len(r.problems) == 0
}

// attempt runs the scenario and turns its end by a failure into a problem.
func (r *run) attempt(s *scenario) {
	defer func() {
		if end := recover(); end != nil {
			failed, ok := end.(failure)
			if !ok {
				panic(end)
			}
			r.complain("%s", failed.text)
		}
	}()
	s.run(r)
}
