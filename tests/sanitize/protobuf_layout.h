// SPDX-License-Identifier: Apache-2.0
//
// Included first by every source of a build with ThreadSanitizer: with it, protobuf's header gives maps two members
// more than the installed library knows of.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#undef __SANITIZE_THREAD__
#include <google/protobuf/map_field.h>
#define __SANITIZE_THREAD__ 1
