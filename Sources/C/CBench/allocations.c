// Counts allocations by the thread that makes them and by the library that asks.
//
// The allocator's functions are defined here, in the benchmark's executable, so that every library of the process calls
// them; they count and hand on to glibc's own.
#define _GNU_SOURCE
#include "CBench.h"
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

enum { max_modules = 128 };

struct module {
    uintptr_t start, end;
    char name[64];
    atomic_llong count, bytes;
};

static struct module modules[max_modules];
static int module_count;
static atomic_int generation;  // odd while counting
static char prefix[16];
static pthread_t only;
static __thread int known_generation;
static __thread int is_counted;

static int add_module(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size, (void)data;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X) || module_count == max_modules) { continue; }
        struct module *module = &modules[module_count++];
        module->start = info->dlpi_addr + header->p_vaddr;
        module->end = module->start + header->p_memsz;
        const char *slash = strrchr(info->dlpi_name, '/');
        const char *name = slash ? slash + 1 : info->dlpi_name;
        strncpy(module->name, *name ? name : "impactiq-bench", sizeof module->name - 1);
        atomic_store(&module->count, 0);
        atomic_store(&module->bytes, 0);
    }
    return 0;
}

void cbench_allocations_start(const char *thread_prefix) {
    module_count = 0;
    dl_iterate_phdr(add_module, NULL);
    memset(prefix, 0, sizeof prefix);
    if (thread_prefix) { strncpy(prefix, thread_prefix, sizeof prefix - 1); }
    only = pthread_self();
    cbench_allocations_resume();
}

void cbench_allocations_resume(void) {
    if (atomic_load(&generation) % 2 == 0) { atomic_fetch_add(&generation, 1); }
}

void cbench_allocations_stop(void) {
    if (atomic_load(&generation) % 2 == 1) { atomic_fetch_add(&generation, 1); }
}

int cbench_allocations_get(int index, const char **name, int64_t *count, int64_t *bytes) {
    if (index < 0 || index >= module_count) { return 0; }
    *name = modules[index].name;
    *count = atomic_load(&modules[index].count);
    *bytes = atomic_load(&modules[index].bytes);
    return 1;
}

static int counts_this_thread(int now) {
    if (known_generation != now) {
        known_generation = now;
        if (prefix[0] == 0) {
            is_counted = pthread_equal(only, pthread_self());
        } else {
            char name[16] = {0};
            is_counted = pthread_getname_np(pthread_self(), name, sizeof name) == 0 &&
                         strncmp(name, prefix, strlen(prefix)) == 0;
        }
    }
    return is_counted;
}

static inline void note(size_t bytes, const void *caller) {
    int now = atomic_load_explicit(&generation, memory_order_relaxed);
    if (now % 2 == 0 || !counts_this_thread(now)) { return; }
    uintptr_t address = (uintptr_t)caller;
    for (int i = 0; i < module_count; i++) {
        if (address >= modules[i].start && address < modules[i].end) {
            atomic_fetch_add_explicit(&modules[i].count, 1, memory_order_relaxed);
            atomic_fetch_add_explicit(&modules[i].bytes, (long long)bytes, memory_order_relaxed);
            return;
        }
    }
}

void *malloc(size_t size) {
    note(size, __builtin_return_address(0));
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    note(count * size, __builtin_return_address(0));
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    note(size, __builtin_return_address(0));
    return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
    note(size, __builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    note(size, __builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    note(size, __builtin_return_address(0));
    void *block = __libc_memalign(alignment, size);
    if (block == NULL) { return ENOMEM; }
    *memory = block;
    return 0;
}
