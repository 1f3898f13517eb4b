// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const diskBytes = 256 << 20

// disk is a real file system (ext4, through a loop device) on a medium that loses what was not
// synced when its power is cut.
type disk struct {
	medium *medium
	home   string // a folder elsewhere, for the file that is the medium
	root   string // where the file system is mounted

	file *fuseFile // nil: not mounted
	lost uint64    // sectors that power cuts took
}

// noDisks is why this machine can have no disk of ours; whatever else goes wrong is a mistake.
type noDisks struct{ why error }

func (e *noDisks) Error() string { return e.why.Error() }

// newDisk makes a disk with an empty file system and mounts it at `root`.
func newDisk(home, root string) (*disk, error) {
	for _, program := range []string{"mkfs.ext4", "losetup"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, &noDisks{err}
		}
	}
	if err := runProgram("losetup", "-f"); err != nil {
		return nil, &noDisks{err}
	}
	m, err := newMedium(diskBytes)
	if err != nil {
		return nil, err
	}
	d := &disk{medium: m, home: home, root: root}
	if err := os.Mkdir(d.root, 0o755); err != nil {
		return nil, err
	}
	if d.file, err = serveFile(m, d.imagePath()); err != nil {
		return nil, err
	}
	if err := runProgram("mkfs.ext4", "-q", "-F", "-m", "0", "-N", "2048", "-E",
		"nodiscard,lazy_itable_init=0,lazy_journal_init=0", d.imagePath()); err != nil {
		d.file.close()
		return nil, err
	}
	if err := d.mountFileSystem(); err != nil {
		d.file.close()
		return nil, err
	}
	return d, nil
}

func (d *disk) imagePath() string { return filepath.Join(d.home, "image") }

// runProgram runs a program and returns its output as the error when it fails.
func runProgram(name string, arguments ...string) error {
	out, err := exec.Command(name, arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(arguments, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

func (d *disk) mountFileSystem() error {
	out, err := exec.Command("losetup", "-f", "--show", d.imagePath()).Output()
	if err != nil {
		return fmt.Errorf("losetup: %w", err)
	}
	device := strings.TrimSpace(string(out))
	err = runProgram("mount", "-t", "ext4", "-o", "noatime", device, d.root)
	// Detached once the file system is unmounted, whatever happens to us.
	return firstError(err, runProgram("losetup", "-d", device))
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// cut takes the disk's power away at this moment; `end` must then end the processes that use it.
func (d *disk) cut(survival float64, random *rand.Rand) {
	atomic.AddUint64(&d.lost, uint64(d.medium.cut(survival, random)))
}

// restart brings the disk back after cut and the end of the processes that used it, or after errors.
func (d *disk) restart() error {
	if err := d.unmount(); err != nil {
		return err
	}
	d.medium.revive()
	var err error
	if d.file, err = serveFile(d.medium, d.imagePath()); err != nil {
		return err
	}
	if err := d.mountFileSystem(); err != nil {
		return err
	}
	os.Remove(d.filler()) // a removal that was not synced has not happened
	return nil
}

// unmount lets go of the file system; nothing more is written to the medium.
func (d *disk) unmount() error {
	d.medium.die()
	err := eventually(20*time.Second, func() error {
		err := syscall.Unmount(d.root, 0)
		if errors.Is(err, syscall.EINVAL) {
			return nil // not mounted
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("unmount of %s: %w", d.root, err)
	}
	return d.file.close()
}

// fill leaves no free byte.
func (d *disk) fill() error {
	file, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	end := int64(0)
	for size := int64(64 << 20); size >= 4096; {
		if syscall.Fallocate(int(file.Fd()), 0, end, size) != nil {
			size /= 2
			continue
		}
		end += size
	}
	return nil
}

func (d *disk) empty() error { return os.Remove(d.filler()) }

func (d *disk) filler() string { return filepath.Join(d.root, "filler") }

// eventually repeats f until it succeeds, for `limit`: its last error.
func eventually(limit time.Duration, f func() error) error {
	for deadline := time.Now().Add(limit); ; time.Sleep(5 * time.Millisecond) {
		err := f()
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
