// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Registers of the 16550 UART, by the names of its datasheet.
//
// Source: National Semiconductor PC16550D, June 1995, table II and section 8.
#ifndef KTSTR_VMM_DEVICES_SERIAL_REGISTERS_H_
#define KTSTR_VMM_DEVICES_SERIAL_REGISTERS_H_

#include <cstddef>
#include <cstdint>

namespace ktstr::vmm::serial {

// Ports a UART occupies.
inline constexpr uint64_t kRegisterCount = 8;

// Offsets. With LCR.DLAB set, 0 and 1 are the divisor latch.
inline constexpr uint64_t kRbrThrDll = 0;
inline constexpr uint64_t kIerDlm = 1;
inline constexpr uint64_t kIirFcr = 2;
inline constexpr uint64_t kLcr = 3;
inline constexpr uint64_t kMcr = 4;
inline constexpr uint64_t kLsr = 5;
inline constexpr uint64_t kMsr = 6;
inline constexpr uint64_t kScr = 7;

// Interrupt enable (8.5).
inline constexpr uint8_t kIerReceived = 0x01;
inline constexpr uint8_t kIerTransmitterEmpty = 0x02;
inline constexpr uint8_t kIerMask = 0x0f;

// Interrupt identification (8.4, table III).
inline constexpr uint8_t kIirNone = 0x01;
inline constexpr uint8_t kIirTransmitterEmpty = 0x02;
inline constexpr uint8_t kIirReceived = 0x04;
inline constexpr uint8_t kIirFifosEnabled = 0xc0;

// FIFO control (8.3).
inline constexpr uint8_t kFcrEnable = 0x01;
inline constexpr uint8_t kFcrClearReceiver = 0x02;

// Line control (8.1).
inline constexpr uint8_t kLcrDivisorLatch = 0x80;

// Modem control (8.6).
inline constexpr uint8_t kMcrRequestToSend = 0x02;
inline constexpr uint8_t kMcrOut2 = 0x08;
inline constexpr uint8_t kMcrLoop = 0x10;
inline constexpr uint8_t kMcrMask = 0x1f;

// Line status (8.2).
inline constexpr uint8_t kLsrDataReady = 0x01;
inline constexpr uint8_t kLsrHoldingEmpty = 0x20;
inline constexpr uint8_t kLsrTransmitterEmpty = 0x40;

// Modem status (8.7).
inline constexpr uint8_t kMsrClearToSend = 0x10;
inline constexpr uint8_t kMsrDataSetReady = 0x20;
inline constexpr uint8_t kMsrCarrierDetect = 0x80;

// Bytes of each FIFO.
inline constexpr size_t kFifoBytes = 16;

}  // namespace ktstr::vmm::serial

#endif  // KTSTR_VMM_DEVICES_SERIAL_REGISTERS_H_
