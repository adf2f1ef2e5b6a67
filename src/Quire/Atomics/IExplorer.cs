#if QUIRE_EXPLORE
namespace Quire;

/// <summary>What an interleaving explorer answers at the seam. Each call comes on the thread that meets it; a thread that takes no part in an exploration passes freely.</summary>
internal interface IExplorer
{
    /// <summary>Before an atomic: another thread may run first.</summary>
    void Point();

    /// <summary>In a spin: the thread gets no further until another has run. False where the thread takes no part.</summary>
    bool Yield();

    /// <summary>Sleeps while <paramref name="condition"/> holds, at the longest until the clock says <paramref name="until"/> (<see cref="long.MaxValue"/>: for ever). False where the thread takes no part.</summary>
    bool Sleep(Func<bool> condition, long until);

    /// <summary>What stands for <see cref="System.Diagnostics.Stopwatch.GetTimestamp"/>.</summary>
    long Now();
}
#endif
