/* SPDX-License-Identifier: Apache-2.0 */
/* libpcap's header defines struct bpf_insn, as libbpf's does: the two must not meet in one translation unit
 * or in one Swift target, so pcap.h is included here and nowhere else. */
#include "capture.h"
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(LBD_CAPTURE_ERROR_BYTES >= PCAP_ERRBUF_SIZE, "room for libpcap's messages");

lbd_capture_reader *lbd_capture_open(const char *path, char *error) {
  pcap_t *handle = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, error);
  if (handle == NULL) return NULL;
  if (pcap_datalink(handle) != DLT_EN10MB) {
    snprintf(error, LBD_CAPTURE_ERROR_BYTES, "%s: not an Ethernet capture", path);
    pcap_close(handle);
    return NULL;
  }
  return (lbd_capture_reader *)handle;
}

int lbd_capture_next(
    lbd_capture_reader *reader, const uint8_t **bytes, uint32_t *captured, uint32_t *original, uint64_t *nanoseconds,
    char *error) {
  struct pcap_pkthdr *header;
  const u_char *data;
  int result = pcap_next_ex((pcap_t *)reader, &header, &data);
  if (result == PCAP_ERROR_BREAK) return 0;
  if (result != 1) {
    snprintf(error, LBD_CAPTURE_ERROR_BYTES, "%s", pcap_geterr((pcap_t *)reader));
    return -1;
  }
  *bytes = data;
  *captured = header->caplen;
  *original = header->len;
  *nanoseconds = (uint64_t)header->ts.tv_sec * 1000000000u + (uint64_t)header->ts.tv_usec;
  return 1;
}

void lbd_capture_close(lbd_capture_reader *reader) { pcap_close((pcap_t *)reader); }

struct lbd_capture_writer {
  pcap_t *handle;
  pcap_dumper_t *dumper;
};

lbd_capture_writer *lbd_capture_create(const char *path, char *error) {
  pcap_t *handle = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, 65535, PCAP_TSTAMP_PRECISION_MICRO);
  pcap_dumper_t *dumper = handle == NULL ? NULL : pcap_dump_open(handle, path);
  lbd_capture_writer *writer = dumper == NULL ? NULL : malloc(sizeof *writer);
  if (writer == NULL) {
    snprintf(error, LBD_CAPTURE_ERROR_BYTES, "%s", handle == NULL ? "out of memory" : pcap_geterr(handle));
    if (dumper != NULL) pcap_dump_close(dumper);
    if (handle != NULL) pcap_close(handle);
    return NULL;
  }
  writer->handle = handle;
  writer->dumper = dumper;
  return writer;
}

void lbd_capture_write(lbd_capture_writer *writer, const uint8_t *bytes, uint32_t count, uint64_t nanoseconds) {
  struct pcap_pkthdr header;
  memset(&header, 0, sizeof header);
  header.ts.tv_sec = (time_t)(nanoseconds / 1000000000u);
  header.ts.tv_usec = (suseconds_t)(nanoseconds % 1000000000u / 1000u);
  header.caplen = count;
  header.len = count;
  pcap_dump((u_char *)writer->dumper, &header, bytes);
}

int lbd_capture_finish(lbd_capture_writer *writer) {
  int result = pcap_dump_flush(writer->dumper) == 0 ? 0 : -1;
  pcap_dump_close(writer->dumper);
  pcap_close(writer->handle);
  free(writer);
  return result;
}
