// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"math/rand"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func testDisk(t *testing.T) *disk {
	home := t.TempDir()
	d, err := newDisk(home, filepath.Join(home, "root"))
	var lack *noDisks
	if errors.As(err, &lack) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.unmount(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func write(t *testing.T, path, text string, sync bool) {
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if sync {
		if err := file.Sync(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPowerCutOfAFileSystem(t *testing.T) {
	d := testDisk(t)
	synced, unsynced := filepath.Join(d.root, "synced"), filepath.Join(d.root, "unsynced")
	write(t, synced, "stays", true)
	write(t, unsynced, "goes", false)
	d.cut(0, rand.New(rand.NewSource(1)))
	if err := d.restart(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(synced); string(text) != "stays" {
		t.Fatal(string(text), err)
	}
	if text, _ := os.ReadFile(unsynced); string(text) == "goes" {
		t.Fatal("unsynced data survived a power cut")
	}
}

func TestAFailingSyncIsSeenAndARestartHealsIt(t *testing.T) {
	d := testDisk(t)
	d.medium.set(func() { d.medium.failSyncs = 1 << 30 })
	file, err := os.Create(filepath.Join(d.root, "file"))
	if err == nil {
		_, err = file.WriteString("x")
		err = firstError(err, file.Sync())
		file.Close()
	}
	if err == nil {
		t.Fatal("a sync of a broken disk succeeded")
	}
	if err := d.restart(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.root, "again"), "x", true)
}

func TestAFullDisk(t *testing.T) {
	d := testDisk(t)
	if err := d.fill(); err != nil {
		t.Fatal(err)
	}
	err := os.WriteFile(filepath.Join(d.root, "file"), make([]byte, 1<<20), 0o600)
	if pathError, ok := err.(*os.PathError); !ok || pathError.Err != syscall.ENOSPC {
		t.Fatal(err)
	}
	if err := d.empty(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.root, "again"), "x", true)
	if err := d.fill(); err != nil {
		t.Fatal(err)
	}
	if err := runProgram("sync", "-f", d.root); err != nil {
		t.Fatal(err)
	}
	if err := d.empty(); err != nil {
		t.Fatal(err)
	}
	d.cut(0, rand.New(rand.NewSource(1))) // which undoes the removal
	if err := d.restart(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.root, "after a power cut"), "x", true)
}
