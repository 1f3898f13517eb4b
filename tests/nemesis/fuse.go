// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
)

// The part of the kernel's FUSE protocol (include/uapi/linux/fuse.h) that one regular file needs,
// mounted over a file: the root is the file.
const (
	fuseForget      = 2
	fuseGetAttr     = 3
	fuseSetAttr     = 4
	fuseOpen        = 14
	fuseRead        = 15
	fuseWrite       = 16
	fuseStatFs      = 17
	fuseRelease     = 18
	fuseFsync       = 20
	fuseFlush       = 25
	fuseInit        = 26
	fuseInterrupt   = 36
	fuseBatchForget = 42
	fuseFallocate   = 43

	fuseHeaderBytes = 40
	fuseArgBytes    = 40         // of a read or write
	fuseZeroModes   = 0x2 | 0x10 // of a fallocate that leaves zeros: a hole, or a range
	fuseMaxWrite    = 128 << 10
)

// fuseFile serves a medium as one regular file. Native byte order, which is little endian on every
// machine that this is for.
type fuseFile struct {
	device int // of /dev/fuse
	path   string
	medium *medium
	ended  chan struct{}
}

// serveFile mounts the medium over the file `path`.
func serveFile(m *medium, path string) (*fuseFile, error) {
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return nil, err
	}
	device, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &noDisks{fmt.Errorf("/dev/fuse: %w", err)}
	}
	options := fmt.Sprintf("fd=%d,rootmode=100600,user_id=0,group_id=0", device)
	if err := syscall.Mount("nemesis", path, "fuse", syscall.MS_NOSUID|syscall.MS_NODEV, options); err != nil {
		syscall.Close(device)
		err = fmt.Errorf("mount of fuse: %w", err)
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENODEV) {
			err = &noDisks{err}
		}
		return nil, err
	}
	f := &fuseFile{device: device, path: path, medium: m, ended: make(chan struct{})}
	go f.serve()
	return f, nil
}

// close unmounts the file; what still uses it gets errors. Call it once the medium is dead or nobody
// uses the file.
func (f *fuseFile) close() error {
	err := syscall.Unmount(f.path, syscall.MNT_DETACH)
	<-f.ended
	syscall.Close(f.device)
	return err
}

// serve takes requests until the file is unmounted, each on its own, because some wait.
func (f *fuseFile) serve() {
	defer close(f.ended)
	buffer := make([]byte, fuseMaxWrite+4096)
	for {
		size, err := syscall.Read(f.device, buffer)
		if errors.Is(err, syscall.EINTR) || errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOENT) {
			continue
		}
		if err != nil || size < fuseHeaderBytes {
			return // ENODEV: unmounted
		}
		go f.answer(append([]byte(nil), buffer[:size]...))
	}
}

func (f *fuseFile) answer(request []byte) {
	operation := binary.LittleEndian.Uint32(request[4:])
	unique := binary.LittleEndian.Uint64(request[8:])
	if operation == fuseForget || operation == fuseBatchForget || operation == fuseInterrupt {
		return // these have no reply
	}
	body, errno := f.do(operation, request[fuseHeaderBytes:])
	if errno != 0 {
		body = nil
	}
	reply := binary.LittleEndian.AppendUint32(nil, uint32(16+len(body)))
	reply = binary.LittleEndian.AppendUint32(reply, uint32(-int32(errno)))
	reply = binary.LittleEndian.AppendUint64(reply, unique)
	syscall.Write(f.device, append(reply, body...)) // fails when the asker is gone
}

func (f *fuseFile) do(operation uint32, argument []byte) ([]byte, syscall.Errno) {
	switch operation {
	case fuseInit:
		return f.initReply(argument), 0
	case fuseGetAttr, fuseSetAttr:
		return f.attributes(), 0
	case fuseOpen:
		return make([]byte, 16), 0
	case fuseRelease, fuseFlush:
		return nil, 0
	case fuseStatFs:
		return make([]byte, 80), 0
	case fuseFsync:
		return nil, f.medium.sync()
	case fuseRead, fuseWrite:
		if len(argument) < fuseArgBytes {
			return nil, syscall.EINVAL
		}
		offset := int64(binary.LittleEndian.Uint64(argument[8:]))
		size := binary.LittleEndian.Uint32(argument[16:])
		if operation == fuseRead {
			return f.read(offset, size)
		}
		done := binary.LittleEndian.AppendUint64(nil, uint64(size))
		return done, f.medium.write(argument[fuseArgBytes:], offset)
	case fuseFallocate:
		return nil, f.zero(argument)
	}
	return nil, syscall.ENOSYS
}

func (f *fuseFile) read(offset int64, size uint32) ([]byte, syscall.Errno) {
	left := int64(len(f.medium.image)) - offset
	if left < int64(size) {
		if left < 0 {
			left = 0
		}
		size = uint32(left)
	}
	out := make([]byte, size)
	return out, f.medium.read(out, offset)
}

// zero fills a range with zeros, which is what loop devices want of fallocate.
func (f *fuseFile) zero(argument []byte) syscall.Errno {
	if len(argument) < 32 {
		return syscall.EINVAL
	}
	offset := int64(binary.LittleEndian.Uint64(argument[8:]))
	length := int64(binary.LittleEndian.Uint64(argument[16:]))
	if binary.LittleEndian.Uint32(argument[24:])&fuseZeroModes == 0 {
		return syscall.EOPNOTSUPP
	}
	if length < 0 || length > int64(len(f.medium.image)) {
		return syscall.EINVAL
	}
	return f.medium.write(make([]byte, length), offset)
}

func (f *fuseFile) initReply(argument []byte) []byte {
	out := make([]byte, 64)
	copy(out, argument[:8]) // the version asked for: what is used here is the same in all
	copy(out[8:12], argument[8:12])
	binary.LittleEndian.PutUint16(out[16:], 64) // requests in the background at most
	binary.LittleEndian.PutUint16(out[18:], 48)
	binary.LittleEndian.PutUint32(out[20:], fuseMaxWrite)
	binary.LittleEndian.PutUint32(out[24:], 1)
	return out
}

func (f *fuseFile) attributes() []byte {
	out := make([]byte, 16+88)
	binary.LittleEndian.PutUint64(out, 3600) // seconds for which they are good
	attribute := out[16:]
	size := uint64(len(f.medium.image))
	binary.LittleEndian.PutUint64(attribute, 1)
	binary.LittleEndian.PutUint64(attribute[8:], size)
	binary.LittleEndian.PutUint64(attribute[16:], size/sectorBytes)
	binary.LittleEndian.PutUint32(attribute[60:], syscall.S_IFREG|0o600)
	binary.LittleEndian.PutUint32(attribute[64:], 1)
	binary.LittleEndian.PutUint32(attribute[80:], 4096)
	return out
}
