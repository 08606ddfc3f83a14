#include "value.h"

#include <float.h>

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static int is_tail(uint8_t byte) { return (byte & 0xC0) == 0x80; }

/* The bytes of the character that begins here, 0 where it is none (Unicode, table 3-7). */
static size_t character(const uint8_t *at, size_t room) {
    uint8_t first = at[0];
    if (first < 0x80) return first >= 0x20;
    if (first < 0xC2 || room < 2 || !is_tail(at[1])) return 0;
    if (first < 0xE0) return 2;
    if (room < 3 || !is_tail(at[2])) return 0;
    if (first < 0xF0) return (first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] > 0x9F) ? 0 : 3;
    if (first > 0xF4 || room < 4 || !is_tail(at[3])) return 0;
    return (first == 0xF0 && at[1] < 0x90) || (first == 0xF4 && at[1] > 0x8F) ? 0 : 4;
}

int is_text(Text text) {
    while (text.at < text.end) {
        uint64_t word;
        size_t room = size_of(text), step;
        if (room >= sizeof word) {
            memcpy(&word, text.at, sizeof word);
            if ((((word - EACH(0x20)) | word) & EACH(0x80)) == 0) { /* eight of ASCII */
                text.at += sizeof word;
                continue;
            }
        }
        if ((step = character(text.at, room)) == 0) return 0;
        text.at += step;
    }
    return 1;
}

/* What an escape means; 0 where it is not simple. */
static uint8_t meaning(uint8_t letter) {
    switch (letter) {
        case '"': case '\\': case '/': return letter;
        case 'b': return '\b';
        case 'f': return '\f';
        case 'n': return '\n';
        case 'r': return '\r';
        case 't': return '\t';
        default: return 0;
    }
}

long long saved_by_escapes(Text text) {
    long long count = 0;
    while ((text.at = memchr(text.at, '\\', size_of(text))) != NULL) {
        if (size_of(text) < 2 || meaning(text.at[1]) == 0) return -1;
        text.at += 2;
        count++;
    }
    return count;
}

uint8_t *put_unescaped(uint8_t *to, Text text) {
    for (const uint8_t *found; (found = memchr(text.at, '\\', size_of(text))) != NULL; text.at = found + 2) {
        memcpy(to, text.at, (size_t)(found - text.at));
        to += found - text.at;
        *to++ = meaning(found[1]);
    }
    memcpy(to, text.at, size_of(text));
    return to + size_of(text);
}

/* Digits that are sure to fit into 64 bits, and powers of ten and whole numbers that a double has exactly: then one
   division gives the double that is nearest (W. D. Clinger, "How to Read Floating Point Numbers Accurately"). */
#define MOST_DIGITS 18
#define MOST_EXACT (UINT64_C(1) << 53)
static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                                1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};

int number(Text *rest, Number *found) {
    int negative = SKIP(rest, "-");
    Text whole, behind = {rest->at, rest->at};
    if (!digits(rest, &whole) || (*whole.at == '0' && size_of(whole) > 1)) return 0;
    found->kind = SKIP(rest, ".") ? FRACTION : WHOLE_NUMBER;
    if (found->kind == FRACTION && !digits(rest, &behind)) return 0;
    if (size_of(whole) + size_of(behind) > MOST_DIGITS || (rest->at < rest->end && (*rest->at | 0x20) == 'e')) return 0;
    uint64_t value = 0;
    for (const uint8_t *at = whole.at; at < whole.end; at++) value = value * 10 + (*at - '0');
    for (const uint8_t *at = behind.at; at < behind.end; at++) value = value * 10 + (*at - '0');
    if (found->kind == WHOLE_NUMBER) {
        found->whole = negative ? -(int64_t)value : (int64_t)value;
        return value != 0 || !negative;
    }
    if (FLT_EVAL_METHOD != 0 || value > MOST_EXACT) return 0;
    found->fraction = (double)value / powers[size_of(behind)];
    if (negative) found->fraction = -found->fraction;
    return 1;
}
