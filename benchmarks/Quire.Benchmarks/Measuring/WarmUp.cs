using System.Runtime;

namespace Quire.Benchmarks.Measuring;

/// <summary>Brings every contender's code to its last tier, and says when the JIT is done.</summary>
/// <remarks>
/// A method is compiled again after 30 calls, but only once no new first-tier code has appeared for 100 ms, and what the
/// framework ships precompiled passes through an instrumented tier first. So a pass calls each contender more than 30
/// times with little work and then pauses; the passes end when three in a row have left the number of compiled methods as it was.
/// That number is the runtime's own, so a contender can't be measured half warm without the report saying so.
/// </remarks>
internal static class WarmUp
{
    private const int CallsAPass = 40;
    private const int OperationsACall = 512;
    private const int QuietPasses = 3;

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(150);

    /// <summary>Warms all contenders up together.</summary>
    /// <returns>Whether the JIT came to rest before the passes or the time ran out.</returns>
    public static bool Run(IReadOnlyList<Contender> contenders, int mostPasses, Deadline deadline)
    {
        int quiet = 0;
        for (int pass = 0; pass < mostPasses && quiet < QuietPasses && !deadline.Passed; pass++)
        {
            long before = JitInfo.GetCompiledMethodCount();
            foreach (Contender contender in contenders)
            {
                for (int call = 0; call < CallsAPass && !deadline.Passed; call++)
                {
                    contender.Run(OperationsACall);
                }
            }

            Thread.Sleep(s_pause);
            quiet = JitInfo.GetCompiledMethodCount() == before ? quiet + 1 : 0;
        }

        return quiet == QuietPasses;
    }
}
