using System.Runtime.Versioning;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Quire.Tests.Tracing.Rings;

/// <summary>What a recording's file may not be made of: each has its name, and leaves what was there before.</summary>
[Collection(LedgerCollection.Name)]
[UnsupportedOSPlatform("windows")]
public sealed class TraceFileTests : IDisposable
{
    private const int ENOSPC = 28;
    private const int EFBIG = 27;
    private const int EACCES = 13;
    private const int EIO = 5;

    private readonly RecordingFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_file_that_exists_is_not_touched_unless_asked()
    {
        File.WriteAllText(_folder["a.qring"], "precious");
        TraceFileException refused = Refused(_folder.Options);
        Assert.Equal((TraceFileFailure.AlreadyExists, _folder["a.qring"]), (refused.Failure, refused.Path));
        Assert.Contains(_folder["a.qring"], refused.Message, StringComparison.Ordinal);
        Assert.Equal("precious", File.ReadAllText(_folder["a.qring"]));
    }

    [Fact]
    public void A_link_is_not_followed_wherever_it_leads()
    {
        File.WriteAllText(_folder["target"], "precious");
        File.CreateSymbolicLink(_folder["a.qring"], _folder["target"]);
        Assert.Equal(TraceFileFailure.AlreadyExists, Refused(_folder.Options).Failure);
        File.Delete(_folder["target"]);
        Assert.Equal(TraceFileFailure.AlreadyExists, Refused(_folder.Options).Failure);
        Assert.False(File.Exists(_folder["target"]));
    }

    [Fact]
    public void A_file_that_is_replaced_is_a_new_one_so_that_who_reads_the_old_one_keeps_it()
    {
        File.WriteAllText(_folder["target"], "precious");
        File.CreateSymbolicLink(_folder["link.qring"], _folder["target"]);
        File.WriteAllText(_folder["a.qring"], "old");
        using FileStream old = new(_folder["a.qring"], FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        foreach (string name in (string[])["a.qring", "link.qring", "new.qring"])
        {
            using TraceSession session = TraceSession.Start(_folder.Options with { Path = _folder[name], Replace = true });
            Assert.Equal(_folder[name], session.Path);
            ProofEvent.Write(1, 0);
            session.Stop();
            Assert.Single(Assert.Single(QringFile.Read(_folder[name]).Rings).Events);
            Assert.Null(new FileInfo(_folder[name]).LinkTarget);
        }

        Assert.Equal("old", new StreamReader(old).ReadToEnd());
        Assert.Equal("precious", File.ReadAllText(_folder["target"]));
        Assert.Equal(["a.qring", "link.qring", "new.qring", "target"], Names());
    }

    [Fact]
    public void A_replacement_that_fails_leaves_the_old_file_and_nothing_else()
    {
        File.WriteAllText(_folder["a.qring"], "old");
        TraceFileException refused = Refused(_folder.Options with { Replace = true }, new FailingCalls { AllocateFails = ENOSPC });
        Assert.Equal(TraceFileFailure.NoSpace, refused.Failure);
        Assert.Equal("old", File.ReadAllText(_folder["a.qring"]));
        Directory.CreateDirectory(_folder["folder"]);
        Assert.Throws<TraceFileException>(() => TraceSession.Start(_folder.Options with { Path = _folder["folder"], Replace = true }));
        Assert.Equal(["a.qring", "folder"], Names());
    }

    [Fact]
    public void A_folder_that_does_not_exist_is_named()
    {
        TraceFileException refused = Refused(_folder.Options with { Path = _folder["no/such/a.qring"] });
        Assert.Equal(TraceFileFailure.NoFolder, refused.Failure);
        Assert.Contains("folder", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_that_may_not_be_written_is_named()
    {
        // The superuser may write everywhere but where the system itself makes the files.
        string closed = Environment.IsPrivilegedProcess && OperatingSystem.IsLinux() ? "/sys" : _folder["closed"];
        if (closed != "/sys")
        {
            Directory.CreateDirectory(closed, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }

        Assert.Equal(TraceFileFailure.NoPermission, Refused(_folder.Options with { Path = Path.Combine(closed, "a.qring") }).Failure);
    }

    [Theory]
    [InlineData(ENOSPC, TraceFileFailure.NoSpace, "no space left")]
    [InlineData(EFBIG, TraceFileFailure.NoSpace, "so large")]
    [InlineData(EACCES, TraceFileFailure.NoPermission, "may not write")]
    [InlineData(EIO, TraceFileFailure.Other, "Input/output error")]
    public void What_the_system_answers_to_the_first_block_is_named_and_no_file_is_left(int error, TraceFileFailure failure, string words)
    {
        foreach (FailingCalls calls in (FailingCalls[])[new() { AllocateFails = error }, new() { MapFails = error }])
        {
            TraceFileException refused = Refused(_folder.Options, calls);
            Assert.Equal(failure, refused.Failure);
            Assert.Contains(words, refused.Message, StringComparison.Ordinal);
            Assert.Empty(Names());
        }

        // After the header: the dictionary finds no room.
        Assert.Equal(TraceFileFailure.NoSpace, Refused(_folder.Options, new FailingCalls { AllocateFails = error, After = 1 }).Failure);
        Assert.Empty(Names());
        Assert.Null(TraceSession.Current);
    }

    [Fact]
    public void A_disk_that_fills_later_costs_rings_and_snapshots_never_the_process()
    {
        // The header, one segment of texts (or more: what the process knows), then nothing.
        FailingCalls calls = new();
        using TraceSession session = TraceSession.Start(_folder.Options, calls);
        RecordingTests.RunThreads(1, _ => ProofEvent.Write(1, 0));
        calls.AllocateFails = ENOSPC;

        // The dead thread's ring serves the next; the one beside it gets none.
        using Barrier together = new(2);
        RecordingTests.RunThreads(2, me =>
        {
            for (ulong i = 0; i < 10; i++)
            {
                ProofEvent.Write((uint)me + 10, i);
            }

            together.SignalAndWait();
        });
        TraceSnapshot snapshot = session.BeginSnapshot(SnapshotKind.End);
        PageRefEvent e = ProofEvent.Make(1, 1);
        snapshot.Write(ProofEvent.Id, ref e);
        snapshot.Complete();
        session.Stop();
        QringFile file = QringFile.Read(session.Path);
        Assert.Equal((11, 10, 1), (session.Written, session.Lost, session.LostSnapshotRecords));
        Assert.Equal((10, 1), (file.LostWithoutRing, file.LostSnapshotRecords));
        Assert.Equal(11, Assert.Single(file.Rings).Events.Count);
        Assert.Empty(file.Snapshots);
    }

    [Fact]
    public void A_thread_whose_ring_could_not_be_made_loses_its_events_and_does_not_write_into_the_ring_that_its_place_had()
    {
        using Barrier steps = new(2);
        Thread heir = new(() =>
        {
            // It has a place from an earlier recording, so it inherits a dead thread's ring and leaves that one's place.
            ProofEvent.Write(2, 0);
            steps.SignalAndWait();
            steps.SignalAndWait();
            for (ulong i = 0; i < 5; i++)
            {
                ProofEvent.Write(2, i);
            }

            steps.SignalAndWait();
            steps.SignalAndWait();
        });
        using (TraceSession.Start(_folder.Options))
        {
            heir.Start();
            steps.SignalAndWait();
        }

        FailingCalls calls = new();
        using TraceSession session = TraceSession.Start(_folder.Options with { Path = _folder["b.qring"] }, calls);
        RecordingTests.RunThreads(1, _ => ProofEvent.Write(1, 0));
        steps.SignalAndWait();
        steps.SignalAndWait();
        calls.AllocateThrows = true;
        RecordingTests.RunThreads(1, _ =>
        {
            for (ulong i = 0; i < 20; i++)
            {
                ProofEvent.Write(3, i);
            }
        });
        steps.SignalAndWait();
        heir.Join();
        session.Stop();
        QringFile file = QringFile.Read(session.Path);
        Assert.Equal((6, 20), (session.Written, session.Lost));
        Assert.Equal(20, file.LostWithoutRing);
        Dictionary<uint, (ulong First, ulong Last)> writers = ProofEvent.Check(file, Assert.Single(file.Rings));
        Assert.Equal([(1u, 0ul), (2u, 4ul)], writers.Select(writer => (writer.Key, writer.Value.Last)));
    }

    [Theory]
    [InlineData(600, "written 1000 lost 3000")]
    [InlineData(800, "written 2000 lost 2000")]
    [InlineData(4, "NoSpace: ")]
    public void A_process_that_may_write_only_so_much_is_told_so_or_loses_the_rest_and_is_not_killed_by_a_signal(int kilobytes, string expected)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Recordings are tried on Linux.");

        // The header takes 4, the texts 256, each ring 256. The shell counts in units of 512 bytes.
        using ChildProcess child = RecordingChild.Start("limited", _folder["a.qring"], $"ulimit -f {kilobytes * 2} || exit 9;");
        Assert.Equal(0, child.WaitForExit(TimeSpan.FromSeconds(60)));
        Assert.StartsWith(expected, child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_is_its_owners_alone_and_so_is_the_folder_of_those_without_a_path()
    {
        using TraceSession session = TraceSession.Start(_folder.Options);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(session.Path));
        session.Stop();

        string home = _folder["home"];
        string path = TracePath.Default(home);
        string folder = Path.GetDirectoryName(path)!;
        Assert.Equal(Path.Combine(home, "quire", "recordings"), folder);
        Assert.Matches($@"-{Environment.ProcessId}-\d{{8}}-\d{{6}}-\d{{3}}\.qring$", path);
        const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Assert.Equal(Private, File.GetUnixFileMode(folder));

        // One that others may enter is closed to them; one that is a link is none.
        File.SetUnixFileMode(folder, Private | UnixFileMode.OtherWrite | UnixFileMode.GroupExecute);
        TracePath.Default(home);
        Assert.Equal(Private, File.GetUnixFileMode(folder));
        Directory.Move(folder, _folder["elsewhere"]);
        File.CreateSymbolicLink(folder, _folder["elsewhere"]);
        Assert.Equal(TraceFileFailure.FolderNotPrivate, Assert.Throws<TraceFileException>(() => TracePath.Default(home)).Failure);
        Directory.Delete(folder);
        File.WriteAllText(folder, "a file");
        Assert.Throws<TraceFileException>(() => TracePath.Default(home));
    }

    [Fact]
    public void Where_there_are_no_recordings_the_call_says_so()
    {
        PlatformNotSupportedException refused = Assert.Throws<PlatformNotSupportedException>(() => TraceSession.Start(_folder.Options, calls: null));
        Assert.Contains("Linux", refused.Message, StringComparison.Ordinal);
        Assert.Empty(Names());
    }

    [Theory]
    [InlineData(4096, 16 << 20)]
    [InlineData(8192, 4096)]
    public void Sizes_with_which_nothing_could_be_recorded_are_refused(long ring, long maximum)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => TraceSession.Start(_folder.Options with { RingBytes = ring, MaximumBytes = maximum }));
        Assert.Empty(Names());
    }

    private static TraceFileException Refused(TraceFileOptions options, TraceFileCalls? calls = null) =>
        Assert.Throws<TraceFileException>(() => TraceSession.Start(options, calls ?? TraceFileCalls.Current));

    private string[] Names() => [.. Directory.EnumerateFileSystemEntries(_folder.Path).Select(path => Path.GetFileName(path)!).Order()];

    /// <summary>The system's calls, some of which fail.</summary>
    private sealed unsafe class FailingCalls : TraceFileCalls
    {
        private int _calls;

        internal int AllocateFails { get; set; }

        internal bool AllocateThrows { get; set; }

        internal int MapFails { get; init; }

        /// <summary>So many go well.</summary>
        internal int After { get; init; }

        internal override int ThreadId => Current!.ThreadId;

        internal override int Allocate(SafeFileHandle file, long offset, long bytes) =>
            AllocateThrows ? throw new InsufficientMemoryException()
            : AllocateFails != 0 && _calls++ >= After ? AllocateFails : Current!.Allocate(file, offset, bytes);

        internal override byte* Map(SafeFileHandle file, long offset, long bytes, out int error)
        {
            error = MapFails;
            return error != 0 ? null : base.Map(file, offset, bytes, out error);
        }
    }
}
