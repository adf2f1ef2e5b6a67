using BenchmarkDotNet.Attributes;
using Quire.Benchmarks.Measuring;
using Quire.Benchmarks.Peers;
using Quire.Benchmarks.Rows;

namespace Quire.Benchmarks.Bdn;

/// <summary>
/// The same rows under BenchmarkDotNet: each contender alone in a process of its own, for a second opinion that shares nothing with
/// <c>compare</c> but the loops, and for its columns of allocated bytes and collections.
/// </summary>
/// <remarks>The ratios of the design come from <c>compare</c>: processes that run minutes apart are not side by side.</remarks>
[MemoryDiagnoser]
public abstract class RowBenchmark
{
    private const int Operations = 1 << 14;

    private readonly string _rowId;
    private Row? _row;
    private Contender? _contender;

    protected RowBenchmark(string rowId) => _rowId = rowId;

    /// <summary>By name, since names pass between processes and contenders don't.</summary>
    [ParamsSource(nameof(Names))]
    public string Name { get; set; } = "";

    public IEnumerable<string> Names
    {
        get
        {
            using Row row = Open();
            return [.. row.Contenders.Select(contender => contender.Name)];
        }
    }

    [GlobalSetup]
    public void Setup()
    {
        _row = Open();
        _contender = _row.Contenders.First(contender => contender.Name == Name);
    }

    [Benchmark(OperationsPerInvoke = Operations)]
    public double TakeAndDrop() => _contender!.Run(Operations);

    [GlobalCleanup]
    public void Cleanup() => _row?.Dispose();

    private Row Open() => RowCatalog.Open(_rowId, NativeAllocators.Load(), read: false);
}

public class Fragment256() : RowBenchmark(RowCatalog.Fragment256);

public class Fragment2KHandoff() : RowBenchmark(RowCatalog.Fragment2KHandoff);

public class Fragment2KHandoffBatched() : RowBenchmark(RowCatalog.Fragment2KHandoffBatched);

public class PageOrder0() : RowBenchmark(RowCatalog.PageOrder0);
