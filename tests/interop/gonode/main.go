// SPDX-License-Identifier: Apache-2.0

// Command gonode runs real Dragonboat v4 replicas for the interoperation tests. Without arguments
// it obeys the commands of its stdin (package pipe); with `helloworld` it is the example program
// of Dragonboat's tutorial, as seen from outside.
package main

import (
	"fmt"
	"os"

	"github.com/lni/dragonboat/v4/logger"
)

func logLevels() {
	for _, name := range []string{"dragonboat", "logdb", "raft", "rsm", "transport", "registry", "config"} {
		logger.GetLogger(name).SetLevel(logger.INFO)
	}
	logger.GetLogger("raft").SetLevel(logger.WARNING)
}

func main() {
	logLevels()
	var err error
	if len(os.Args) > 1 && os.Args[1] == "helloworld" {
		err = helloworld(os.Args[2:])
	} else {
		err = serve(os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gonode:", err)
		os.Exit(1)
	}
}
