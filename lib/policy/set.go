package policy

import "slices"

// Set is all policy of one configuration. It does not change once it was read.
// The methods of a nil Set say that nothing is defined.
type Set struct {
	prefix4, prefix6 map[string]*PrefixList
	access           map[string]*AccessList
	maps             map[string]*RouteMap
	chains           map[string]*KeyChain
	paths            map[string]*ASPathList
	communities      map[string]*CommunityList
	extended         map[string]*ExtCommunityList
	large            map[string]*LargeCommunityList
}

// PrefixList returns the IPv4 prefix-list of that name, or nil, which permits
// everything.
func (s *Set) PrefixList(name string) *PrefixList {
	if s == nil {
		return nil
	}
	return s.prefix4[name]
}

// PrefixList6 returns the IPv6 prefix-list of that name, or nil, which permits
// everything. The names of the two families are independent of each other.
func (s *Set) PrefixList6(name string) *PrefixList {
	if s == nil {
		return nil
	}
	return s.prefix6[name]
}

// AccessList returns the access-list of that name or number, or nil, which
// permits everything.
func (s *Set) AccessList(name string) *AccessList {
	if s == nil {
		return nil
	}
	return s.access[name]
}

// RouteMap returns the route-map of that name, or nil, which denies everything.
func (s *Set) RouteMap(name string) *RouteMap {
	if s == nil {
		return nil
	}
	return s.maps[name]
}

// KeyChain returns the key chain of that name, or nil, which has no keys.
func (s *Set) KeyChain(name string) *KeyChain {
	if s == nil {
		return nil
	}
	return s.chains[name]
}

// ASPathList returns the as-path access-list of that number, or nil, which permits
// everything.
func (s *Set) ASPathList(name string) *ASPathList {
	if s == nil {
		return nil
	}
	return s.paths[name]
}

// CommunityList returns the community-list of that name or number, or nil, which permits
// everything.
func (s *Set) CommunityList(name string) *CommunityList {
	if s == nil {
		return nil
	}
	return s.communities[name]
}

// ExtCommunityList returns the extcommunity-list of that name or number, or nil, which
// permits everything.
func (s *Set) ExtCommunityList(name string) *ExtCommunityList {
	if s == nil {
		return nil
	}
	return s.extended[name]
}

// LargeCommunityList returns the large-community-list of that name or number, or nil,
// which permits everything.
func (s *Set) LargeCommunityList(name string) *LargeCommunityList {
	if s == nil {
		return nil
	}
	return s.large[name]
}

// sortedNames returns the names of a map in order.
func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
