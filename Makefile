# autograd: build, run, test. `make run` and `make test` install what is missing first.

BUILD ?= build
CC ?= cc
CFLAGS ?= -O2 -g
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
	-Wundef -Wvla -Wcast-qual -Wformat=2 -Wno-unused-parameter
# What plugins may call is visible, but nobody's to replace: calls within a file stay direct.
C11 = -std=c11 -D_GNU_SOURCE -fopenmp-simd -fPIC -fno-semantic-interposition -pthread -fvisibility=hidden
BASE = $(C11) $(WARN) -Iautograd -Imodels -Itools -I$(BUILD)/gen -MMD -MP
# Loops of ops say `omp simd`; only the shared kernels need more of the compiler.
KERNEL = -fno-math-errno -fno-trapping-math -ffp-contract=fast
LIBS = -lyaml -lcgraph -lz -lcsv -lcjson -lpng -lelf -lm -ldl -pthread

# SAN=1: address and undefined behaviour; SAN=thread: data races.
ifeq ($(SAN),1)
override BUILD := $(BUILD)/san
SANFLAGS = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else ifeq ($(SAN),thread)
override BUILD := $(BUILD)/tsan
SANFLAGS = -fsanitize=thread
endif
ifdef WERROR
WARN += -Werror
endif

# Instruction sets that kernels are compiled for beside the portable one, chosen at run time.
LEVELS := 1
ifneq (,$(filter x86_64 amd64,$(shell uname -m)))
LEVELS := $(if $(filter thread,$(SAN)),1,3)
endif
LEVEL_0 =
LEVEL_1 = -march=x86-64-v3
LEVEL_2 = -march=x86-64-v4 -mprefer-vector-width=512
VARIANTS := f32_0 f64_0
ifeq ($(LEVELS),3)
VARIANTS += f32_1 f64_1 f32_2
endif
BASE += -DAD_LEVELS=$(LEVELS)

ENGINE := $(sort $(wildcard autograd/*.c))
OPS := $(sort $(wildcard ops/*.c))
KERNELS := $(sort $(wildcard ops/kernels/*.c))
FORMATS := $(sort $(wildcard models/data/*.c))
OPTIMIZERS := $(sort $(wildcard models/optim/*.c))
LAYERS := $(sort $(wildcard models/layers/*.c))
MODELS := $(sort $(wildcard models/*.c)) $(FORMATS) $(LAYERS)
# What is installed draws; the rest is the command.
DRAWING := $(sort $(wildcard tools/draw/*.c))
TOOLS := $(sort $(wildcard tools/*.c tools/doctor/*.c tools/op/*.c tools/report/*.c))
# Tests are Criterion's, all in one runner, but for tests/plain: programs of their own, which also
# run where Criterion cannot (the thread sanitizer).
PLAIN := $(sort $(wildcard tests/plain/*.c))
TESTS := $(filter-out $(PLAIN) tests/conformance/main.c,$(sort $(wildcard tests/*.c tests/*/*.c)))
CONFORMANCE := $(filter-out tests/conformance/ops.c,$(sort $(wildcard tests/conformance/*.c)))
ACCURACY := tools/bench/accuracy.c
BENCH := $(filter-out $(ACCURACY),$(sort $(wildcard tools/bench/*.c tools/bench/floor/*.c)))

OBJ := $(BUILD)/obj
GEN := $(BUILD)/gen
TABLES := op_table.c layers.c formats.c optimizers.c
LIBRARY := $(patsubst %.c,$(OBJ)/%.o,$(ENGINE)) \
	$(patsubst %.c,$(OBJ)/%.o,$(MODELS) $(wildcard $(DRAWING))) \
	$(foreach v,$(VARIANTS),$(patsubst %.c,$(OBJ)/%.$(v).o,$(OPS) $(KERNELS) $(OPTIMIZERS))) \
	$(patsubst %.c,$(GEN)/%.o,$(TABLES))
# Text that is put into the command: the page of `autograd report`, files of ops to begin with, and what a plugin
# is made with.
REPORT := tools/report/page.html tools/report/style.css tools/report/script.js
TEMPLATES := $(sort $(wildcard tools/op/templates/*.c))
KIT := autograd/autograd.h autograd/op.h autograd/op_math.h autograd/plugin.h $(GEN)/autograd_ops.h tools/tables.sh \
	tools/op/build.sh $(GEN)/flags.sh
COMMAND := $(patsubst %.c,$(OBJ)/%.o,$(TOOLS)) $(GEN)/report.o $(GEN)/template.o $(GEN)/kit.o

# V=1 shows the commands; else a line a file.
ifeq ($(V),1)
Q =
else
Q = @echo "  $@";
endif

JOBS := $(shell nproc 2>/dev/null || echo 1)

all: $(BUILD)/autograd $(BUILD)/libautograd.a $(BUILD)/libautograd.so

# ---- generated files: written anew each time, replaced only if they differ -------------------------

.PHONY: FORCE
FORCE:

define table
	@mkdir -p $(@D)
	@sh tools/tables.sh $(1) > $@.new || { rm -f $@.new; exit 1; }
	@cmp -s $@.new $@ && rm -f $@.new || mv $@.new $@
endef

$(GEN)/autograd_ops.h: FORCE
	$(call table,prototypes $(OPS))
$(GEN)/op_table.c: FORCE
	$(call table,ops $(OPS))
$(GEN)/layers.c: FORCE
	$(call table,list layer $(LAYERS))
$(GEN)/formats.c: FORCE
	$(call table,list format $(FORMATS))
$(GEN)/optimizers.c: FORCE
	$(call table,list optimizer $(OPTIMIZERS))

$(GEN)/report.c: FORCE
	$(call table,lines report $(REPORT))
$(GEN)/template.c: FORCE
	$(call table,lines template $(TEMPLATES))
$(GEN)/kit.c: $(GEN)/autograd_ops.h $(GEN)/flags.sh FORCE
	$(call table,lines kit $(KIT))
$(GEN)/flags.sh: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' 'FLAGS="$(C11) -O2 -g $(KERNEL) -DAD_LEVELS=$(LEVELS)"' 'VARIANTS="$(VARIANTS)"' 'LEVEL_0="$(LEVEL_0)"' \
		'LEVEL_1="$(LEVEL_1)"' 'LEVEL_2="$(LEVEL_2)"' > $@.new
	@cmp -s $@.new $@ && rm -f $@.new || mv $@.new $@

# What the library is made of: a file added or deleted changes it.
$(BUILD)/members: FORCE
	@mkdir -p $(@D)
	@echo '$(LIBRARY)' > $@.new
	@cmp -s $@.new $@ && rm -f $@.new || mv $@.new $@

# ---- objects ---------------------------------------------------------------------------------------

$(GEN)/%.o: $(GEN)/%.c | $(GEN)/autograd_ops.h
	$(Q)$(CC) $(BASE) $(CFLAGS) $(SANFLAGS) -c $< -o $@

$(OBJ)/%.o: %.c | $(GEN)/autograd_ops.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE) $(CFLAGS) $(SANFLAGS) -c $< -o $@

# op.h is most of what an op's file makes the compiler read: it is compiled once a variant. gcc takes it where it
# fits and reads op.h otherwise.
define variant
$(OBJ)/ops/$(1)_$(2)/op.h.gch: autograd/op.h | $(GEN)/autograd_ops.h
	@mkdir -p $$(@D)
	@echo '#include "$$(CURDIR)/autograd/op.h"' > $$(@:.gch=)
	$$(Q)$$(CC) $$(BASE) $$(CFLAGS) $(if $(filter 0,$(2)),,-g1) $$(KERNEL) $$(SANFLAGS) $$(LEVEL_$(2)) $(3) -DAD_LEVEL=$(2) \
		-MT $$@ -MF $$(@:.h.gch=.d) -x c-header $$(@:.gch=) -o $$@

$(OBJ)/%.$(1)_$(2).o: %.c $(OBJ)/ops/$(1)_$(2)/op.h.gch | $(GEN)/autograd_ops.h
	@mkdir -p $$(@D)
	$$(Q)$$(CC) -I$(OBJ)/ops/$(1)_$(2) $$(BASE) $$(CFLAGS) $$(if $$(findstring /kernels/,$$<)$$(findstring /optim/,$$<),-O3) $(if $(filter 0,$(2)),,-g1) $$(KERNEL) $$(SANFLAGS) $$(LEVEL_$(2)) $(3) \
		-DAD_LEVEL=$(2) -c $$< -o $$@

-include $(OBJ)/ops/$(1)_$(2)/op.d
endef
$(foreach l,0 1 2,$(eval $(call variant,f32,$(l),))$(eval $(call variant,f64,$(l),-DAD_F64)))

$(BUILD)/libautograd.a: $(LIBRARY) $(BUILD)/members
	@rm -f $@
	$(Q)ar rcs $@ $(LIBRARY)

# Calls that are compiled into programs (autograd.h) know how this version lays out what they compare with.
VERSION := $(shell sed -n 's/^\#define AD_VERSION "\(.*\)"/\1/p' autograd/autograd.h)
SONAME := libautograd.so.$(VERSION)
$(BUILD)/libautograd.so: $(LIBRARY) $(BUILD)/members
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) $(SANFLAGS) $(LIBRARY) -o $@ $(LIBS)
	@ln -sf libautograd.so $(BUILD)/$(SONAME)

# Not position-independent: the tables of ops hold 25,000 addresses, and relocating them touches 2,400 pages
# at each start, 5 ms. Plugins call what the library's headers declare, all of it.
$(BUILD)/autograd: $(COMMAND) $(BUILD)/libautograd.a
	$(Q)$(CC) $(if $(SAN),,-no-pie) -rdynamic $(SANFLAGS) $(COMMAND) \
		-Wl,--whole-archive $(BUILD)/libautograd.a -Wl,--no-whole-archive -o $@ $(LIBS)

# The command's own parts that are tested without it.
TESTED_TOOLS := $(filter-out $(OBJ)/tools/main.o,$(COMMAND))
TEST_OBJECTS := $(patsubst %.c,$(OBJ)/%.o,$(TESTS)) $(TESTED_TOOLS)
PLAIN_TESTS := $(patsubst %.c,$(OBJ)/%,$(PLAIN))
BENCH_OBJECTS := $(patsubst %.c,$(OBJ)/%.o,$(BENCH))

$(BUILD)/run-tests: $(TEST_OBJECTS) $(BUILD)/libautograd.a
	$(Q)$(CC) -rdynamic $(SANFLAGS) $(TEST_OBJECTS) $(BUILD)/libautograd.a -o $@ -lcriterion $(LIBS)

# The floors are measured on this machine alone, and compiled for it.
$(OBJ)/tools/bench/floor/%.o: CFLAGS = -O3 -g -march=native $(if $(filter 3,$(LEVELS)),-mprefer-vector-width=512) $(KERNEL)

$(BUILD)/bench: $(BENCH_OBJECTS) $(BUILD)/libautograd.a
	$(Q)$(CC) $(SANFLAGS) $^ -o $@ $(LIBS)

# The test of failing memory stands between the program and the allocator.
$(OBJ)/tests/plain/memory: WRAP = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc

$(PLAIN_TESTS) $(OBJ)/tools/bench/accuracy: %: %.o $(BUILD)/libautograd.a
	$(Q)$(CC) $(SANFLAGS) $(WRAP) $^ -o $@ $(LIBS)

$(OBJ)/tests/conformance/main: $(patsubst %.c,$(OBJ)/%.o,$(CONFORMANCE)) $(BUILD)/libautograd.a
	$(Q)$(CC) $(SANFLAGS) $^ -o $@ $(LIBS)

-include $(patsubst %.o,%.d,$(LIBRARY) $(COMMAND) $(TEST_OBJECTS)) $(OBJ)/tests/conformance/main.d $(addsuffix .d,$(PLAIN_TESTS) $(OBJ)/tools/bench/accuracy) $(BENCH_OBJECTS:.o=.d)

# ---- running and testing ------------------------------------------------------------------------------

PACKAGES = gcc make pkg-config libc6-dev libyaml-dev libgraphviz-dev zlib1g-dev libpng-dev libelf-dev libcsv-dev libcjson-dev \
	libcriterion-dev graphviz gnuplot-nox libopenblas0-pthread libdnnl2?

setup:
	@sh tools/setup.sh $(PACKAGES)

data: setup
	@sh tools/setup.sh dataset-fashion-mnist

run: setup
	@$(MAKE) --no-print-directory -j$(JOBS) $(BUILD)/autograd
	$(BUILD)/autograd train configs/digits.yaml

# The second make sees what the set-up has installed. WERROR: no warning passes.
test: setup
	@$(MAKE) --no-print-directory -j$(JOBS) WERROR=1 check

check: $(PLAIN_TESTS) $(if $(filter thread,$(SAN)),,$(BUILD)/autograd $(BUILD)/libautograd.so $(BUILD)/run-tests)
	@sh tests/run.sh '$(BUILD)' '$(SAN)' $(PLAIN_TESTS)

# The page of `autograd report` in headless Chromium, model files in an editor; `make test` runs these tests, too,
# where what they need is installed.
node-setup:
	@sh tools/setup.sh chromium $$(command -v node >/dev/null || echo nodejs) $$(command -v npm >/dev/null || echo npm)
	@sh tests/node/run.sh --setup

node-test: node-setup
	@$(MAKE) --no-print-directory -j$(JOBS) $(BUILD)/autograd
	@AUTOGRAD_REQUIRE_NODE=1 sh tests/node/run.sh '$(BUILD)'

# Speed: tools/bench/README.md. W="W1 W4" some workloads, THREADS=1, FORMAT=json, REPS=15, CLOCK=cpu. bench-peers adds other
# programs, where they are.
bench: all $(BUILD)/bench
	@AUTOGRAD_BIN=$(BUILD)/autograd BENCH_BUILD=$(BUILD) $(BUILD)/bench --only '$(W)' --threads '$(THREADS)' --format '$(FORMAT)' --reps '$(REPS)' --clock '$(CLOCK)' $(PEERS)

bench-peers: PEERS = --peers tools/bench/peers/list
bench-peers: bench

# The errors of the element-wise kernels, in ulp, beside what the ops' comments state.
accuracy: $(OBJ)/tools/bench/accuracy
	@$<

# The reference of all ops, from their files. It is committed.
docs: $(BUILD)/autograd
	$(BUILD)/autograd ops --markdown > ops/README.md

# The cases of an independent framework: AUTOGRAD_CORPUS names their folder, CASES="sum conv2d/groups" some of them.
conformance: $(OBJ)/tests/conformance/main
	@$(OBJ)/tests/conformance/main $(CASES)

# The pictures of tools/README.md, which the README shows too, drawn anew by the commands that stand there.
gallery: all
	@sh tools/gallery.sh draw '$(BUILD)'

# The command, the libraries and what programs include: below PREFIX, and all of that below DESTDIR where it is given.
PREFIX ?= /usr/local
HEADERS := autograd/autograd.h $(GEN)/autograd_ops.h models/autograd_model.h tools/autograd_draw.h
into = $(DESTDIR)$(PREFIX)

install: all
	install -d '$(into)/bin' '$(into)/include' '$(into)/lib/pkgconfig'
	install $(BUILD)/autograd '$(into)/bin'
	install -m 644 $(HEADERS) '$(into)/include'
	install -m 644 $(BUILD)/libautograd.a '$(into)/lib'
	install $(BUILD)/libautograd.so '$(into)/lib/$(SONAME)'
	ln -sf $(SONAME) '$(into)/lib/libautograd.so'
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: autograd' 'Description: automatic differentiation on graphs' \
		'Version: $(VERSION)' 'Cflags: -I$${prefix}/include' 'Libs: -L$${prefix}/lib -lautograd' \
		'Libs.private: $(LIBS)' > '$(into)/lib/pkgconfig/autograd.pc'

uninstall:
	cd '$(into)' && rm -f bin/autograd $(addprefix include/,$(notdir $(HEADERS))) lib/libautograd.a \
		lib/libautograd.so lib/$(SONAME) lib/pkgconfig/autograd.pc

clean:
	rm -rf build

format:
	clang-format -i $(wildcard */*.[ch] */*/*.[ch])

.PHONY: all setup data run test check node-setup node-test bench bench-peers accuracy docs conformance gallery install uninstall clean format
