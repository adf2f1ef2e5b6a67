namespace Quire.Benchmarks.Work;

/// <summary>A wait of one step: a spin of about a microsecond, and after some of them the core is given away, as the kernel's test does.</summary>
/// <remarks>
/// The length is the one at which the ring alone is quickest. A side that looks again sooner pulls the line with the other's
/// index across for every item, and whoever is quick enough to find the ring empty then measures that bus and not its allocator
/// (a do-nothing allocator: 30 to 50 ns at 0.15 us, 9 at 1.3 us). A side that looks later makes the two threads take turns.
/// </remarks>
internal struct Pause
{
    private const int SpinsBeforeYield = 20;

    /// <summary>In the runtime's unit, of about 40 ns on the machine that it was chosen on.</summary>
    private const int SpinLength = 32;

    private int _spins;

    public void Once()
    {
        if (_spins < SpinsBeforeYield)
        {
            _spins++;
            Thread.SpinWait(SpinLength);
        }
        else
        {
            Thread.Yield();
        }
    }
}
