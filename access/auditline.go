package access

import "time"

// eventLine is an Event as it stands in the log.
type eventLine struct {
	Time    time.Time `json:"time"`
	Tenant  string    `json:"tenant,omitempty"`
	Key     string    `json:"key,omitempty"`
	Name    string    `json:"name,omitempty"`
	Role    Role      `json:"role,omitempty"`
	Method  string    `json:"method"`
	Subject string    `json:"subject,omitempty"`
	Outcome string    `json:"outcome"`
}

func wireOf(e Event, at time.Time) eventLine {
	return eventLine{at, e.Tenant, e.Key, e.Name, e.Role, e.Method, e.Subject, e.Outcome}
}

func eventOf(sequence uint64, l eventLine) Event {
	return Event{sequence, l.Time, l.Tenant, l.Key, l.Name, l.Role, l.Method, l.Subject, l.Outcome}
}
