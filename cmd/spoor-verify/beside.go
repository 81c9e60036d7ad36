package main

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// beside checks the package against what lies outside of it, as far as it was given.
func (q question) beside(sheet *page, p *pack, raw []byte) error {
	var kept []byte
	for _, f := range []struct {
		name string
		into *[]byte
	}{{q.kept, &kept}} {
		if f.name == "" {
			continue
		}
		text, err := os.ReadFile(f.name)
		if err != nil {
			return err
		}
		*f.into = text
	}
	sheet.add("custody log", "", checkCustody(p, kept))
	for _, check := range []func(*page, *pack, []byte) error{q.signed, q.stamped, q.derived, q.placed} {
		if err := check(sheet, p, raw); err != nil {
			return err
		}
	}
	return nil
}

func (q question) signed(sheet *page, _ *pack, raw []byte) error {
	if q.public == "" {
		return nil
	}
	public, err := os.ReadFile(q.public)
	if err != nil {
		return err
	}
	signature, err := os.ReadFile(otherwise(q.signature, q.name+".minisig"))
	if err == nil {
		err = checkSignature(bytes.NewReader(raw), int64(len(raw)), string(signature), string(public))
	}
	sheet.add("signature", "by "+q.public, failed("signature", q.name, err))
	return nil
}

func (q question) stamped(sheet *page, p *pack, _ []byte) error {
	if q.authority == "" {
		return nil
	}
	roots, err := os.ReadFile(q.authority)
	if err != nil {
		return err
	}
	var at time.Time
	token, err := os.ReadFile(otherwise(q.token, q.name+".tsr"))
	if err == nil {
		at, err = checkToken(token, roots, p.zipSHA256)
	}
	sheet.add("time stamp", at.UTC().Format(time.RFC3339), failed("time stamp", q.name, err))
	return nil
}

func (q question) derived(sheet *page, p *pack, _ []byte) error {
	if q.full == "" {
		return nil
	}
	raw, err := os.ReadFile(q.full)
	if err != nil {
		return err
	}
	full, err := readPack(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", q.full, err)
	}
	sheet.add("derived from "+q.full, "", append(checkContainer(full), checkFull(p, full)...))
	return nil
}

func (q question) placed(sheet *page, p *pack, _ []byte) error {
	if q.blocks == "" {
		return nil
	}
	f, err := os.Open(q.blocks)
	if err != nil {
		return err
	}
	defer f.Close()
	sheet.add("block hashes as in "+q.blocks, "", checkBlocks(p, f))
	return nil
}

func otherwise(name, usual string) string {
	if name == "" {
		return usual
	}
	return name
}

func failed(check, subject string, err error) []finding {
	if err == nil {
		return nil
	}
	return []finding{{check, subject, "to hold", err.Error()}}
}
