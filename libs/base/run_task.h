// Link dt_asio.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <future>
#include <utility>

#include "libs/base/task.h"

namespace devicetrust {

// Runs a Task to its end on this thread, in an io_context of its own: for who may wait and
// has nothing else to do meanwhile.
template <typename T>
T RunTask(Task<T> task) {
  boost::asio::io_context io(1);
  std::future<T> result = boost::asio::co_spawn(io, std::move(task), boost::asio::use_future);
  io.run();
  return result.get();
}

}  // namespace devicetrust
