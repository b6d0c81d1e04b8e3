#include <exception>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
namespace {
struct Guard {
    int& left;
    ~Guard() { left++; }
};
struct Special : std::runtime_error {
    using std::runtime_error::runtime_error;
};
int deep(int depth, int& left) {
    Guard guard{left};
    if (depth == 0) throw Special("from the bottom");
    return deep(depth - 1, left) + 1;
}
}  // namespace
extern "C" int zcppexc_work(int n) {
    int left = 0;
    std::exception_ptr kept;
    try {
        try {
            deep(20, left);
        } catch (const std::exception&) {
            kept = std::current_exception();
            throw;
        }
    } catch (const Special& special) {
        left += std::string(special.what()).empty() ? 100 : 0;
    }
    // Another thread throws, and this one gets it.
    auto thrown = std::async(std::launch::async, [kept]() -> int { std::rethrow_exception(kept); });
    try {
        return thrown.get();
    } catch (const Special&) {
        return left == 21 ? n + 1 : left;
    }
}
