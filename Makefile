# Every target sets up what it needs by itself, in .venv, and says first what that takes. GNU make 3.81 is enough.

.DEFAULT_GOAL := help
.PHONY: help demo demo-kafka test prove lint histories simulate streams exports faults crash chaos outages fuzz bench bench-kafka bench-real bench-rescore requirements clean

SETUP  = @scripts/setup.sh
PYTHON_HERE = .venv/bin/python
RUN    = $(PYTHON_HERE) -m tests.run

# What may be given on the command line: make histories N=1000000, make fuzz SECONDS=600, make test STAGES="lint unit"
N       = 100000
SEED    = 1
SECONDS = 60
KILLS   = 200
BLOWS   = 100
PROCESSES = 2
STAGES  = test
UPGRADE =

help:
	@echo 'make demo         a year of a coffee chain: events become points, balances and a leaderboard'
	@echo 'make demo-kafka   the same year through a real Kafka, started here (needs Java 17 and Maven)'
	@echo 'make test         what to run before each commit; one part of it: make test STAGES="lint unit"'
	@echo 'make prove        what takes longer: simulations, a real Kafka, faults, kills, blows, benchmarks'
	@echo 'make lint         ruff, mypy and the walls between the packages'
	@echo 'make histories    random histories against the reference ledger: N=$(N) of them, from SEED=$(SEED), by PROCESSES=$(PROCESSES)'
	@echo 'make simulate     whole runs in which everything goes wrong that can: N=$(N) of them, from SEED=$(SEED)'
	@echo 'make streams      whole deployments on a Kafka in memory: N=$(N) of them, from SEED=$(SEED)'
	@echo 'make exports      known orders in every dialect that exports have, cut at random: N=1000 of them, from SEED=$(SEED)'
	@echo 'make faults       put known faults into decider and plumbing, one by one; each must be caught'
	@echo 'make crash        kill the real commands KILLS=$(KILLS) times; nothing may be lost or doubled (a quarter of an hour)'
	@echo 'make chaos        a whole deployment on a real Kafka, struck BLOWS=$(BLOWS) times; SEED=$(SEED) draws the blows'
	@echo 'make outages      Kafka and ClickHouse go for SECONDS=$(SECONDS) each, and all comes back by itself'
	@echo 'make fuzz         throw random bytes at the door for SECONDS=$(SECONDS)'
	@echo 'make bench        what a fact costs, piece by piece, beside peers in the same run'
	@echo 'make bench-kafka  intake, scoring and projection on a real Kafka, beside Faust and Quix Streams in the same run'
	@echo 'make bench-real   a year of a real grocer, end to end, with rates'
	@echo 'make bench-rescore what deciding history again costs, beside two whole runs'
	@echo 'make requirements pin what pyproject.toml requires, with hashes (needs uv); UPGRADE=yes: the newest allowed'
	@echo 'make clean        remove what make and the tools have made, .venv included'

demo:
	$(SETUP) report
	@.venv/bin/tallybook demo

demo-kafka:
	$(SETUP) stream
	@$(PYTHON_HERE) -m scripts.demo_kafka

test prove:
	@started=$$(date +%s) && scripts/setup.sh dev && \
	  $(PYTHON_HERE) scripts/stages.py --install-seconds $$(($$(date +%s) - started)) $(if $(filter prove,$@),prove,$(STAGES))

lint:
	$(SETUP) dev
	@$(PYTHON_HERE) scripts/stages.py lint

exports: N = 1000
histories simulate streams exports:
	$(SETUP) dev
	@$(RUN) $@ --count $(N) --seed $(SEED) --processes $(PROCESSES)

faults:
	$(SETUP) dev
	@$(RUN) faults --processes $(PROCESSES)

crash:
	$(SETUP) dev
	@$(RUN) crash --count $(KILLS) --processes $(PROCESSES)

chaos:
	$(SETUP) dev
	@$(RUN) chaos --count $(BLOWS) --seed $(SEED)

outages fuzz:
	$(SETUP) dev
	@$(RUN) $@ --seconds $(SECONDS)

bench:
	$(SETUP) runtime
	@$(PYTHON_HERE) -m benchmarks.embedded

bench-kafka:
	$(SETUP) stream
	@$(PYTHON_HERE) -m benchmarks.kafka

bench-real:
	$(SETUP) real
	@$(PYTHON_HERE) -m benchmarks.real

bench-rescore:
	$(SETUP) runtime
	@$(PYTHON_HERE) -m benchmarks.rescore $(if $(FACTS),--facts $(FACTS)) $(if $(MEMBERS),--members $(MEMBERS))

requirements:
	$(SETUP) runtime
	@$(PYTHON_HERE) scripts/pin.py $(if $(UPGRADE),--upgrade)

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
