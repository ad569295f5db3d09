/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CFORWARDER_H
#define CFORWARDER_H
#endif
