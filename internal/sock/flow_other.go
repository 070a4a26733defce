//go:build !linux

package sock

import (
	"context"
	"errors"
)

func flowsTo(context.Context, uint16) ([]Flow, error) { return nil, errors.ErrUnsupported }

type ends struct{}

func listenEnds() (ends, error) { return ends{}, errors.ErrUnsupported }

func (ends) next(context.Context) (Flow, error) { return Flow{}, errors.ErrUnsupported }

func (ends) Close() error { return nil }

func owners(map[uint64]bool, []uint32) map[uint64]Process { return nil }
