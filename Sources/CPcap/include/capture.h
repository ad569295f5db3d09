/* SPDX-License-Identifier: Apache-2.0 */
/* Capture files through libpcap, behind names of our own (see capture.c). */
#ifndef LBD_CAPTURE_H
#define LBD_CAPTURE_H
#include <stdbool.h>
#include <stdint.h>
#pragma clang assume_nonnull begin

#define LBD_CAPTURE_ERROR_BYTES 256

typedef struct lbd_capture_reader lbd_capture_reader;
typedef struct lbd_capture_writer lbd_capture_writer;

/* NULL on error, with the reason in `error` (LBD_CAPTURE_ERROR_BYTES). Only Ethernet captures are accepted. */
lbd_capture_reader *_Nullable lbd_capture_open(const char *path, char *error);
/* 1: a frame; 0: end of file; -1: the file is damaged (`error`). The bytes stay valid until the next call. */
int lbd_capture_next(
    lbd_capture_reader *reader, const uint8_t *_Nullable *_Nonnull bytes, uint32_t *captured, uint32_t *original,
    uint64_t *nanoseconds, char *error);
void lbd_capture_close(lbd_capture_reader *reader);

lbd_capture_writer *_Nullable lbd_capture_create(const char *path, char *error);
void lbd_capture_write(lbd_capture_writer *writer, const uint8_t *bytes, uint32_t count, uint64_t nanoseconds);
/* 0, or -1 when not everything reached the file. */
int lbd_capture_finish(lbd_capture_writer *writer);

#pragma clang assume_nonnull end
#endif
