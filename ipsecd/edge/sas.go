package edge

import (
	"log/slog"
	"sync"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

// sas states SAs, each with the epoch of the attachment in which it is stated first.
type sas struct {
	client *session.Client
	limit  *telemetry.Limiter // of complaints

	mu      sync.Mutex         // guards the following
	here    bool               // zebra is attached
	epoch   uint64             // of the last attachment
	waiting map[rib.Key]rib.SA // for the next attachment
	stated  map[rib.Key]uint64 // by key the epoch
	seq     uint64             // of what was stated last
}

// put states an SA, now or at the next attachment.
func (s *sas) put(esp rib.ESP) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sa := rib.SA{ESP: esp}
	key := sa.Key()
	if _, known := s.stated[key]; !known && !s.here {
		if err := session.Check(sa); err != nil {
			return err
		}
		s.waiting[key] = sa
		return nil
	}
	return s.state(sa)
}

// state hands an SA to the session. s.mu is held.
func (s *sas) state(sa rib.SA) error {
	key, known := sa.Key(), false
	if sa.Epoch, known = s.stated[key]; !known {
		sa.Epoch = s.epoch
	}
	seq, err := s.client.Put(sa)
	if err == nil {
		s.stated[key], s.seq = sa.Epoch, max(s.seq, seq)
	}
	return err
}

// remove takes an SA back, and returns the sequence number of that, 0 if it was not stated.
func (s *sas) remove(key rib.Key) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, key)
	delete(s.stated, key)
	return s.client.Delete(key)
}

// last returns the sequence number of what was stated last.
func (s *sas) last() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seq
}

// attached states what waited for zebra, and returns what cannot be stated.
func (s *sas) attached(epoch uint64) (refused []rib.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.here, s.epoch = true, epoch
	for key, sa := range s.waiting {
		if s.state(sa) != nil {
			refused = append(refused, key)
		}
	}
	clear(s.waiting)
	return refused
}

func (s *sas) detached() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.here = false
}

// complain logs why an SA is not in force. Those that are gone are a daily matter where
// somebody restarts.
func (s *sas) complain(log *slog.Logger, f rib.Failure) {
	if ok, more := s.limit.Allow(f.Error); ok {
		log.Warn("security association not in force", "destination", f.Key.Addr, "spi", f.Key.Instance, "error", f.Error, "more", more)
	}
}
