namespace Quire.Benchmarks.Events;

/// <summary>A folder for a row's recordings, gone with the row.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    /// <summary>Its path, and the file system it is on, since a recording costs what its file costs.</summary>
    public string Path { get; } = Directory.CreateTempSubdirectory("quire-bench-").FullName;

    public string FileSystem => new DriveInfo(Path).DriveFormat;

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (IOException failure)
        {
            Console.Error.WriteLine($"left behind: {Path} ({failure.Message})");
        }
    }
}
