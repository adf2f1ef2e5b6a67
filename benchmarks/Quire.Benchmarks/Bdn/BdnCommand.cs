using BenchmarkDotNet.Running;
using Quire.Benchmarks.Peers;

namespace Quire.Benchmarks.Bdn;

/// <summary>Runs the rows under BenchmarkDotNet.</summary>
internal static class BdnCommand
{
    /// <param name="arguments">A filter such as <c>*Fragment256*</c>, or options of BenchmarkDotNet's own; none means all rows.</param>
    public static void Run(string[] arguments)
    {
        // Its processes inherit the environment, so one restart here lets all of them load jemalloc.
        NativeAllocators natives = NativeAllocators.Load();
        if (natives.NeedsMoreStaticTls && !Restart.IsSet && OperatingSystem.IsLinux())
        {
            Restart.Try();
        }

        string[] options = arguments switch
        {
            [] => ["--filter", "*"],
            [string filter] when !filter.StartsWith('-') => ["--filter", filter],
            _ => arguments,
        };
        BenchmarkSwitcher.FromAssembly(typeof(BdnCommand).Assembly).Run(options);
    }
}
