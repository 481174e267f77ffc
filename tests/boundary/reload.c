/* A program that loads the module, uses it, and unloads it, again and again.
 *
 *     reload MODULE ROUNDS FINALIZE SURVIVORS
 *
 * Each round: dlopen, C_Initialize, threads that compete for the card, a search, C_Finalize in FINALIZE of 4 rounds,
 * dlclose. With SURVIVORS the competing threads live through all rounds, and so past every dlclose; without, they end
 * before it. The last line of the output says how often the module was really unloaded, how many descriptors and how
 * much memory were in use after a quarter of the rounds and at the end.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long CK_ULONG;
typedef CK_ULONG (*Function)();
struct list { unsigned char version[2]; Function function[68]; };

enum { THREADS = 4 };
/* Places in CK_FUNCTION_LIST. */
enum { INITIALIZE = 0, FINALIZE = 1, SLOT_LIST = 4, TOKEN_INFO = 6, OPEN = 12, CLOSE = 13, FIND_INIT = 26, FIND = 27, FIND_FINAL = 28 };
enum { OK = 0, ALREADY_INITIALIZED = 0x191, SERIAL_SESSION = 4 };

static struct list *list;
static CK_ULONG slot;
static int over;
static pthread_barrier_t begin, end;

static void must(CK_ULONG rv, const char *what, int round)
{
    if (rv != OK) {
        printf("round %d: %s: 0x%lx\n", round, what, rv);
        exit(1);
    }
}

static void use(int round)
{
    CK_ULONG session, objects[100], count;
    char info[512];
    must(list->function[OPEN](slot, (CK_ULONG)SERIAL_SESSION, NULL, NULL, &session), "C_OpenSession", round);
    for (int i = 0; i < 5; i++) {
        must(list->function[FIND_INIT](session, NULL, 0UL), "C_FindObjectsInit", round);
        must(list->function[FIND](session, objects, 100UL, &count), "C_FindObjects", round);
        must(list->function[FIND_FINAL](session), "C_FindObjectsFinal", round);
        must(list->function[TOKEN_INFO](slot, info), "C_GetTokenInfo", round);
        if (count < 5) {
            printf("round %d: %lu objects\n", round, count);
            exit(1);
        }
    }
    must(list->function[CLOSE](session), "C_CloseSession", round);
}

static void *once(void *round)
{
    use((int)(long)round);
    return NULL;
}

static void *survivor(void *unused)
{
    for (int round = 0;; round++) {
        pthread_barrier_wait(&begin);
        if (over)
            return unused;
        use(round);
        pthread_barrier_wait(&end);
    }
}

static int descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* The value in a line of a file of /proc/self, or whether the text occurs at all. */
static long look(const char *path, const char *text, int value)
{
    char line[4096];
    long found = 0;
    FILE *file = fopen(path, "r");
    while (fgets(line, sizeof line, file))
        if (strstr(line, text)) {
            found = value ? atol(strstr(line, text) + strlen(text)) : 1;
            break;
        }
    fclose(file);
    return found;
}

int main(int count, char **argument)
{
    if (count != 5)
        return 2;
    const char *module = argument[1];
    int rounds = atoi(argument[2]), finalized = atoi(argument[3]), survivors = atoi(argument[4]);
    int unloaded = 0, running = 0, early_descriptors = 0;
    long early_memory = 0;
    pthread_t threads[THREADS];
    pthread_barrier_init(&begin, NULL, THREADS + 1);
    pthread_barrier_init(&end, NULL, THREADS + 1);
    for (int i = 0; survivors && i < THREADS; i++)
        pthread_create(&threads[i], NULL, survivor, NULL);
    for (int round = 0; round < rounds; round++) {
        void *library = dlopen(module, RTLD_NOW | RTLD_LOCAL);
        if (!library) {
            printf("round %d: %s\n", round, dlerror());
            return 1;
        }
        Function get = (Function)dlsym(library, "C_GetFunctionList");
        must(get(&list), "C_GetFunctionList", round);
        /* A module that was not finalized and not unloaded is still initialized. */
        CK_ULONG rv = list->function[INITIALIZE](NULL), slots = 1;
        if (!(running && rv == ALREADY_INITIALIZED))
            must(rv, "C_Initialize", round);
        must(list->function[SLOT_LIST](1, &slot, &slots), "C_GetSlotList", round);
        if (survivors) {
            pthread_barrier_wait(&begin);
            pthread_barrier_wait(&end);
        } else {
            for (int i = 0; i < THREADS; i++)
                pthread_create(&threads[i], NULL, once, (void *)(long)round);
            for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        }
        use(round);
        running = round % 4 >= finalized;
        if (!running)
            must(list->function[FINALIZE](NULL), "C_Finalize", round);
        list = NULL;
        dlclose(library);
        if (!look("/proc/self/maps", strrchr(module, '/'), 0)) {
            unloaded++;
            running = 0;
        }
        if (round == rounds / 4) {
            early_descriptors = descriptors();
            early_memory = look("/proc/self/status", "VmRSS:", 1);
        }
    }
    if (survivors) {
        over = 1;
        pthread_barrier_wait(&begin);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    printf("unloaded %d descriptors %d %d memory %ld %ld\n", unloaded, early_descriptors, descriptors(), early_memory,
           look("/proc/self/status", "VmRSS:", 1));
    return 0;
}
