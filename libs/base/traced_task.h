// Trace ids in coroutines, which share a thread. Link dt_asio.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <memory>
#include <utility>

#include "libs/base/task.h"
#include "libs/base/trace.h"

namespace devicetrust {

// An executor that runs everything under one trace id, and is `Inner` in all else.
template <typename Inner>
class TracedExecutor {
 public:
  TracedExecutor(Inner inner, std::shared_ptr<const TraceId> id)
      : inner_(std::move(inner)), id_(std::move(id)) {}

  template <typename Function>
  void execute(Function&& function) const {
    inner_.execute([id = id_, run = std::forward<Function>(function)]() mutable {
      const TraceScope scope(*id);
      std::move(run)();
    });
  }

  // What Asio wants to know of an executor, or wants otherwise, is for the inner one.
  template <typename Property>
  auto query(const Property& property) const
      -> decltype(boost::asio::query(std::declval<const Inner&>(), property)) {
    return boost::asio::query(inner_, property);
  }
  template <typename Property>
  auto require(const Property& property) const -> TracedExecutor<
      std::decay_t<decltype(boost::asio::require(std::declval<const Inner&>(), property))>> {
    return {boost::asio::require(inner_, property), id_};
  }
  template <typename Property>
  auto prefer(const Property& property) const -> TracedExecutor<
      std::decay_t<decltype(boost::asio::prefer(std::declval<const Inner&>(), property))>> {
    return {boost::asio::prefer(inner_, property), id_};
  }

  bool operator==(const TracedExecutor& other) const noexcept {
    return inner_ == other.inner_ && id_ == other.id_;
  }
  bool operator!=(const TracedExecutor& other) const noexcept { return !(*this == other); }

 private:
  Inner inner_;
  std::shared_ptr<const TraceId> id_;
};

// Runs `task` where the caller runs, under `id` from its first step to its last, whatever other
// tasks of the thread do meanwhile.
template <typename T>
Task<T> WithTrace(TraceId id, Task<T> task) {
  using IoExecutor = boost::asio::io_context::executor_type;
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto* const inner = executor.template target<IoExecutor>();
  const auto shared = std::make_shared<const TraceId>(id);
  if (inner != nullptr) {
    co_return co_await boost::asio::co_spawn(TracedExecutor<IoExecutor>(*inner, shared),
                                             std::move(task), boost::asio::use_awaitable);
  }
  using AnyExecutor = boost::asio::any_io_executor;
  co_return co_await boost::asio::co_spawn(TracedExecutor<AnyExecutor>(executor, shared),
                                           std::move(task), boost::asio::use_awaitable);
}

}  // namespace devicetrust
