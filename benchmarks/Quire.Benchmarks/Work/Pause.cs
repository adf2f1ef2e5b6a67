namespace Quire.Benchmarks.Work;

/// <summary>A wait of one step: a short spin, and after some of them the core is given away, as the kernel's test does.</summary>
internal struct Pause
{
    private const int SpinsBeforeYield = 100;
    private static readonly int SpinLength = int.Parse(Environment.GetEnvironmentVariable("SPINL") ?? "4");

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
