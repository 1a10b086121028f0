# Everything runs on a fresh Debian 12 or 13 machine as root, with git, make and python3.
# LAB=name chooses the lab (default "lab"); FAST=1 uses mitogen instead of plain ssh; LAYOUT=split takes the inventory of
# tests/layouts/split instead of the lab's; SHARES=0 lets nodes take processors from each other (lab/vars.yml).
export LAB ?= $(or $(LAYOUT),lab)
export LAYOUT

.PHONY: lab lab-down lab-shell test lint unit bench drill drills docs requirements

lab:            ## nodes, cluster, accounts, and a mail carried
	@lab/make-lab
lab-down:       ## remove every trace of the lab
	@lab/down
lab-shell:      ## a shell on a node: make lab-shell HOST=mail1
	@lab/shell $(HOST)
test:           ## everything, from nothing to a verdict
	@tests/run
lint:           ## ansible-lint, profile production
	@lab/bootstrap && lab/enter ansible-lint
unit:           ## tests that need no node
	@lab/bootstrap && lab/enter tests/run-unit tests/unit tests/playbooks collections/ansible_collections/mail/ha/tests/unit
bench:          ## measure the running lab; results go to docs/measurements.md
	@lab/bootstrap && tests/bench/run
drill:          ## break one thing, watch, judge: make drill FAULT=mailserver-cut [TARGET=mail2] [RUNS=5]
	@lab/bootstrap && lab/enter ansible-playbook playbooks/drill.yml -e drill_fault=$(FAULT) -e drill_target=$(TARGET) -e drill_runs=$(or $(RUNS),1)
drills:         ## all of them, resumed where they stopped: make drills [FAULTS="haproxy-frozen mailserver-cut"] [RUNS=5]
	@lab/bootstrap && lab/enter tests/drills
docs:           ## fill in what is generated from argument specs
	@lab/bootstrap && lab/enter python docs/generate.py
requirements:   ## pin .config/requirements.in anew
	@lab/enter uv pip compile --quiet --no-header --no-annotate --python-version 3.11 .config/requirements.in -o requirements.txt
