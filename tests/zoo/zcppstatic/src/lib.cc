#include <future>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
namespace {
struct Registry {
    std::map<std::string, int> counts{{"x", 0}};
    std::mutex lock;
};
Registry registry;
struct PerThread {
    std::string text = "a string that is longer than the small one";
    ~PerThread() { text.clear(); }
};
thread_local PerThread per_thread;
Registry& lazy() {
    static Registry lazily;
    return lazily;
}
}  // namespace
extern "C" int zcppstatic_work(int n) {
    std::thread counter([] {
        std::lock_guard<std::mutex> guard(registry.lock);
        registry.counts["t"] += static_cast<int>(per_thread.text.size());
    });
    counter.join();
    auto one = std::async(std::launch::async, [] { return per_thread.text.empty() ? 100 : 1; });
    std::ostringstream out;
    out << n << " " << 3.14 << " " << per_thread.text;
    std::lock_guard<std::mutex> guard(lazy().lock);
    return n + one.get() + lazy().counts["x"] + (out.str().empty() ? 100 : 0);
}
