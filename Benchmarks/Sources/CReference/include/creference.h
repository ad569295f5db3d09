/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CREFERENCE_H
#define CREFERENCE_H
#endif
