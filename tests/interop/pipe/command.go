// SPDX-License-Identifier: Apache-2.0

package pipe

import (
	"encoding/binary"
	"hash/fnv"
)

// The commands of the agreed key-value machine: an operation byte, the key's length (u32, little
// endian), the key, and what the operation needs.
const (
	OpPut    = 'P' // the rest is the value
	OpAppend = 'A' // the rest goes behind the present value
	OpFill   = 'F' // u64 size, u64 seed: the value is Filled(size, seed)
	OpDelete = 'D'
)

func command(op byte, key string, tail int) []byte {
	out := make([]byte, 0, 5+len(key)+tail)
	out = append(out, op)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(key)))
	return append(out, key...)
}

// Put sets a key.
func Put(key, value string) Bytes { return append(command(OpPut, key, len(value)), value...) }

// Append appends to a key's value.
func Append(key, value string) Bytes { return append(command(OpAppend, key, len(value)), value...) }

// Fill sets a key to a value that each replica makes for itself.
func Fill(key string, size, seed uint64) Bytes {
	out := command(OpFill, key, 16)
	out = binary.LittleEndian.AppendUint64(out, size)
	return binary.LittleEndian.AppendUint64(out, seed)
}

// Hash is FNV-1a over 64 bits.
func Hash(value []byte) uint64 {
	h := fnv.New64a()
	h.Write(value)
	return h.Sum64()
}

// ResultData is the data that an operation on a present value of that content returns: its hash
// (u64, little endian) and its last up to 16 bytes. An absent value gives no data at all.
func ResultData(previous []byte) []byte {
	out := binary.LittleEndian.AppendUint64(nil, Hash(previous))
	if len(previous) > 16 {
		previous = previous[len(previous)-16:]
	}
	return append(out, previous...)
}
