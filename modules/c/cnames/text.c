/*
 * text.c: texts, as printk and sprintf of 2.4 made them, and the functions of bytes and strings.
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include "check.h"

/* Whether a format makes `expected` of the arguments behind it, and says how long that is. */
#define MAKES(expected, format, arguments...)                                                                         \
    (sprintf(line, format, ##arguments) == sizeof(expected) - 1 && strcmp(line, expected) == 0)

static char line[200];

static void check_formats(void)
{
    EXPECT(MAKES("7", "%i", 7) && MAKES("-7", "%d", -7) && MAKES("4294967289", "%u", -7));
    EXPECT(MAKES("   0", "% 4i", 0) && MAKES("  12", "% 4i", 12) && MAKES(" 12345", "% 4i", 12345));
    EXPECT(MAKES("1048576", "%li", 1048576L) && MAKES("-1", "%ld", -1L) && MAKES("deadbeef", "%lx", 0xdeadbeefUL));
    EXPECT(MAKES("  ff", "%4x", 255) && MAKES("00ff", "%04x", 255) && MAKES("0xff", "%#x", 255));
    EXPECT(MAKES("name:x:%", "%s:%c:%%", "name", 'x') && MAKES("ab  |", "%-4s|", "ab") && MAKES("abc", "%.3s", "abcdef"));
    EXPECT(MAKES("1 77", "%hi %o", (short)65537, 63) && MAKES("+5", "%+i", 5) && MAKES("   42", "%*i", 5, 42));
}

static void check_addresses(void)
{
    EXPECT(MAKES("00000000c4184780", "%p", (void *)0xc4184780UL));
    EXPECT(MAKES("ffff888000001000", "%p", (void *)0xffff888000001000UL));
    EXPECT(MAKES("0000000000000000", "%p", NULL));
    EXPECT(MAKES("c262b000", "%8p", (void *)0xc262b000UL));
    EXPECT(MAKES("      12", "%8p", (void *)0x12UL));
    EXPECT(MAKES("ffff888000001000", "%8p", (void *)0xffff888000001000UL));
}

static void check_levels(void)
{
    printk(KERN_EMERG "cnames: emergency\n" KERN_ALERT "cnames: alert\n" KERN_CRIT "cnames: critical\n");
    printk(KERN_ERR "cnames: error\n");
    printk(KERN_WARNING "cnames: warning\n");
    printk(KERN_NOTICE "cnames: notice\n");
    printk(KERN_INFO "cnames: information\n");
    printk(KERN_DEBUG "cnames: debug\n");
    EXPECT(printk("cnames: half a line, ") > 0);
    printk("and %s\n", "the other half");
}

/* Bytes enough for the compiler to copy them by a call. */
struct large {
    char bytes[3000];
};

static void check_bytes(void)
{
    static struct large one, other;
    char *end;

    memset(one.bytes, 'x', sizeof(one.bytes));
    other = one;
    EXPECT(memcmp(one.bytes, other.bytes, sizeof(one.bytes)) == 0);
    other.bytes[2999] = 'y';
    EXPECT(memcmp(one.bytes, other.bytes, sizeof(one.bytes)) < 0);
    memcpy(one.bytes, "abcdef", 7);
    memmove(one.bytes + 1, one.bytes, 6);
    EXPECT(memcmp(one.bytes, "aabcdef", 7) == 0);
    strcpy(one.bytes, "scull");
    EXPECT(strlen(one.bytes) == 5 && strcmp(one.bytes, "scull") == 0 && strncmp(one.bytes, "scuba", 3) == 0);
    EXPECT(simple_strtoul("0x20 and more", &end, 0) == 32 && *end == ' ');
    EXPECT(snprintf(one.bytes, 5, "%s", "longer") == 6 && strcmp(one.bytes, "long") == 0);
}

static void check_strings(void)
{
    char text[40];

    strcpy(text, "abc");
    strcat(text, "def");
    strncat(text, "ghijk", 2);
    EXPECT(strcmp(text, "abcdefgh") == 0 && strnlen(text, 4) == 4 && strnlen(text, 40) == 8);
    EXPECT(strchr(text, 'd') == text + 3 && !strchr(text, 'z') && strstr(text, "def") == text + 3 && !strstr(text, "fed"));
    EXPECT(memchr(text, 'e', 8) == text + 4 && !memchr(text, 'e', 3));
    strcpy(text, "a/b/c");
    EXPECT(strrchr(text, '/') == text + 3 && !strrchr(text, 'z'));
    memset(text, 'x', sizeof(text));
    strncpy(text, "hi", 5);
    EXPECT(memcmp(text, "hi\0\0\0x", 6) == 0);
    strncpy(text, "longer", 4);
    EXPECT(memcmp(text, "long\0x", 6) == 0);
}

static int print(char *buffer, size_t size, const char *format, ...)
{
    __builtin_va_list arguments;
    int length;

    __builtin_va_start(arguments, format);
    length = size ? vsnprintf(buffer, size, format, arguments) : vsprintf(buffer, format, arguments);
    __builtin_va_end(arguments);
    return length;
}

static void check_numbers(void)
{
    char *end;

    EXPECT(simple_strtol("-12x", &end, 10) == -12 && *end == 'x' && simple_strtol("077", NULL, 0) == 63);
    EXPECT(print(line, 0, "%i %s", 5, "five") == 6 && strcmp(line, "5 five") == 0);
    EXPECT(print(line, 4, "%i %s", 5, "five") == 6 && strcmp(line, "5 f") == 0);
}

void check_text(void)
{
    check_formats();
    check_addresses();
    check_levels();
    check_bytes();
    check_strings();
    check_numbers();
}
