// SPDX-License-Identifier: Apache-2.0

package main

import "time"

// What newer Go versions have in package slices and as builtins; this module builds with Go 1.19.

func least[T int | uint64](a, b T) T {
	if a < b {
		return a
	}
	return b
}

func most[T int | uint64 | time.Duration](a, b T) T {
	if a > b {
		return a
	}
	return b
}

func contains[T comparable](list []T, wanted T) bool {
	for _, one := range list {
		if one == wanted {
			return true
		}
	}
	return false
}

// without is a copy of the list that lacks one of its elements.
func without[T comparable](list []T, unwanted T) []T {
	var rest []T
	for _, one := range list {
		if one != unwanted {
			rest = append(rest, one)
		}
	}
	return rest
}

// with is a copy of the list with one element more.
func with[T any](list []T, added T) []T {
	return append(append(make([]T, 0, len(list)+1), list...), added)
}
